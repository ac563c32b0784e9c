package main

import (
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"parley/pkg/bedrock"
	"parley/pkg/config"
	"parley/pkg/pipeline"
	"parley/pkg/profiles"
)

// profiles is the parameter that keeps live up to date.
func (d deployment) profiles(name string, live *profiles.Live) *parameter {
	return &parameter{
		client: ssm.NewFromConfig(d.AWS), env: "PROFILES_PARAMETER", name: name, age: time.Minute, log: d.Log,
		use: func(value string) error { return live.Replace(name, []byte(value)) },
	}
}

// lookIn opens knowledge bases: what k leaves open is as deployed.
func (d deployment) lookIn(m config.Model) func(profiles.Knowledge) (pipeline.Retriever, error) {
	client := bedrockagentruntime.NewFromConfig(d.AWS)
	own := profiles.Knowledge{Base: m.KnowledgeBase, Filter: []byte(m.Filter), Rerank: m.RerankModelARN, CitationURL: m.CitationBaseURL}
	return func(k profiles.Knowledge) (pipeline.Retriever, error) {
		if k.Docs != "" {
			return nil, errors.New("docs is for one machine; name a knowledge base instead")
		}
		if k = k.Over(own); k.Base == "" {
			return nil, nil
		}
		return bedrock.NewRetriever(client, bedrock.RetrieverConfig{
			KnowledgeBaseID: k.Base, CitationBaseURL: k.CitationURL, Filter: k.Filter, RerankModelARN: k.Rerank,
		})
	}
}
