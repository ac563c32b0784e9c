package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	parleybedrock "parley/pkg/bedrock"
	"parley/pkg/config"
	"parley/pkg/pipeline"
	"parley/pkg/profiles"
)

// maxParameter is how many bytes an SSM parameter of the advanced tier holds; the
// standard tier, which is free, holds half.
const maxParameter = 8 << 10

// fileChecks are about a file of profiles, with no account and no network: for the
// build of the repository that the file is in.
func fileChecks(path string) ([]check, error) {
	var l config.Limits
	if err := config.Load(&l); err != nil {
		return nil, configMistake(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("read the profiles: %w", err)}
	}
	checks, _, err := loadChecks(path, data, l, filepath.Dir(path))
	return append(checks, check{"room", func(context.Context) (string, error) {
		if len(data) > maxParameter {
			return "", errOff{fmt.Sprintf("%d bytes are for one machine; an SSM parameter takes %d", len(data), maxParameter)}
		}
		return fmt.Sprintf("%d of the %d bytes that an SSM parameter takes (%d in the standard tier)", len(data), maxParameter, maxParameter/2), nil
	}}), err
}

// loadChecks are one for each mistake in a file, or one that says what is in it.
// dir is what folders are named from, "" where there are none.
func loadChecks(name string, data []byte, l config.Limits, dir string) ([]check, *profiles.Set, error) {
	d := profiles.Deployment{Open: func(k profiles.Knowledge) (pipeline.Retriever, error) { return nil, opens(k, dir) }, Money: l.Money()}
	if l.Prices != "" {
		prices, err := parleybedrock.ParsePrices([]byte(l.Prices))
		if err != nil {
			return nil, nil, err
		}
		d.Price = prices.Cost
	}
	set, err := profiles.Load(name, data, d)
	var mistakes profiles.Mistakes
	if errors.As(err, &mistakes) {
		var checks []check
		for _, m := range mistakes {
			checks = append(checks, check{"profiles", func(context.Context) (string, error) { return "", m }})
		}
		return checks, nil, nil
	}
	fine := "none, every place is as deployed"
	if names := set.Names(); len(names) > 0 {
		fine = strings.Join(names, ", ")
	}
	return []check{{"profiles", func(context.Context) (string, error) { return fine, nil }}}, set, nil
}

// opens reports why nothing could be looked up in k, as far as that can be told
// without looking.
func opens(k profiles.Knowledge, dir string) error {
	if k.Docs != "" {
		if dir == "" {
			return errors.New("docs is for one machine; name a knowledge base instead")
		}
		if !filepath.IsAbs(k.Docs) {
			k.Docs = filepath.Join(dir, k.Docs)
		}
		if info, err := os.Stat(k.Docs); err != nil || !info.IsDir() {
			return fmt.Errorf("there is no folder %s", k.Docs)
		}
		return nil
	}
	k = k.Over(profiles.Knowledge{Base: "AS0DEPLOYED"})
	_, err := parleybedrock.NewRetriever(bedrockagentruntime.New(bedrockagentruntime.Options{}), parleybedrock.RetrieverConfig{
		KnowledgeBaseID: k.Base, CitationBaseURL: k.CitationURL, Filter: k.Filter, RerankModelARN: k.Rerank,
	})
	return err
}

// deployedProfileChecks are about the profiles of a deployment: those in file, or
// where that is "" those in force.
func deployedProfileChecks(ctx context.Context, cfg aws.Config, s deployedStack, file string, m config.Model) ([]check, error) {
	name, data, err := deployedProfiles(ctx, cfg, s.outputs["ProfilesParameter"], file)
	if err != nil {
		return []check{{"profiles", func(context.Context) (string, error) { return "", err }}}, nil
	}
	var l config.Limits
	if err := config.LoadFrom(&l, map[string]string{"BUDGET_UNIT": s.parameters["BudgetUnit"], "PRICES": s.parameters["Prices"]}); err != nil {
		return nil, err
	}
	checks, set, err := loadChecks(name, data, l, "")
	if err != nil || set == nil {
		return checks, err
	}
	for _, n := range set.Models() {
		own := m
		own.ID, own.Fallback = n.ID, ""
		checks = append(checks, profileModelCheck(cfg, s, n, modelCheck(own)))
	}
	for _, n := range set.Bases() {
		checks = append(checks, profileBaseCheck(cfg, s, n))
	}
	return checks, nil
}

// deployedProfiles reads the file, or the parameter.
func deployedProfiles(ctx context.Context, cfg aws.Config, parameter, file string) (name string, data []byte, err error) {
	switch {
	case parameter == "" && file != "":
		return "", nil, errors.New("the deployment reads no profiles; deploy it with ProfilesParameter")
	case parameter == "":
		return "", nil, errOff{"the stack has no ProfilesParameter"}
	case file != "":
		data, err = os.ReadFile(file)
		if err == nil && len(data) > maxParameter {
			err = fmt.Errorf("%s has %d bytes; an SSM parameter takes %d", file, len(data), maxParameter)
		}
		return file, data, err
	}
	out, err := ssm.NewFromConfig(cfg).GetParameter(ctx, &ssm.GetParameterInput{Name: &parameter})
	if err != nil {
		return "", nil, fmt.Errorf("%w; put the file there: aws ssm put-parameter --name %s --type String --tier Intelligent-Tiering --overwrite --value file://profiles.yaml", err, parameter)
	}
	return fmt.Sprintf("%s (version %d)", parameter, out.Parameter.Version), []byte(aws.ToString(out.Parameter.Value)), nil
}

// profileModelCheck is about a model that profiles name: the worker may call it,
// and it answers.
func profileModelCheck(cfg aws.Config, s deployedStack, n profiles.Named, answers check) check {
	return check{"profile model", func(ctx context.Context) (string, error) {
		if !slices.Contains(s.models(), n.ID) {
			takes, err := permissionsFor(ctx, cfg, s, n.ID)
			if err != nil {
				return "", fmt.Errorf("%s, for %s: %w", n.ID, strings.Join(n.By, ", "), err)
			}
			if missing := s.lacking("ProfileModelArns", takes); len(missing) > 0 {
				return "", fmt.Errorf("%s, for %s: the worker may not call it; add %s to ProfileModelArns and deploy",
					n.ID, strings.Join(n.By, ", "), strings.Join(missing, ","))
			}
		}
		fine, err := answers.find(ctx)
		return fine + ", for " + strings.Join(n.By, ", "), err
	}}
}

// profileBaseCheck is about a knowledge base that profiles name.
func profileBaseCheck(cfg aws.Config, s deployedStack, n profiles.Named) check {
	return check{"profile knowledge", func(ctx context.Context) (string, error) {
		arn := s.arn("knowledge-base/" + n.ID)
		if missing := s.lacking("ProfileKnowledgeBaseArns", []string{arn}); n.ID != s.outputs["KnowledgeBaseId"] && len(missing) > 0 {
			return "", fmt.Errorf("%s, for %s: the worker may not search it; add %s to ProfileKnowledgeBaseArns and deploy", n.ID, strings.Join(n.By, ", "), arn)
		}
		fine, err := knowledgeCheck(cfg, n.ID).find(ctx)
		return fine + ", for " + strings.Join(n.By, ", "), err
	}}
}

// throughProfile tells an inference profile from a model.
var throughProfile = regexp.MustCompile(`^(global|us|eu|apac|jp|au|us-gov)\.|:(application-)?inference-profile/`)

// permissionsFor are the ARNs that calling a model takes: an inference profile and
// every model behind it, as Bedrock tells.
func permissionsFor(ctx context.Context, cfg aws.Config, s deployedStack, id string) ([]string, error) {
	switch {
	case !throughProfile.MatchString(id) && strings.HasPrefix(id, "arn:"):
		return []string{id}, nil
	case !throughProfile.MatchString(id):
		return []string{fmt.Sprintf("arn:%s:bedrock:%s::foundation-model/%s", s.partition(), s.region(), id)}, nil
	}
	out, err := bedrock.NewFromConfig(cfg).GetInferenceProfile(ctx, &bedrock.GetInferenceProfileInput{InferenceProfileIdentifier: &id})
	if err != nil {
		return nil, fmt.Errorf("read the inference profile: %w", err)
	}
	all := []string{aws.ToString(out.InferenceProfileArn)}
	for _, m := range out.Models {
		all = append(all, aws.ToString(m.ModelArn))
	}
	return all, nil
}
