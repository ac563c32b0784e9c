package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"parley/pkg/config"
	"parley/pkg/pipeline"
	"parley/pkg/profiles"
)

// profilesEvery is how often the file of profiles is looked at for changes.
const profilesEvery = 2 * time.Second

func profilesFlag(c *cobra.Command, f *localFlags) {
	c.Flags().StringVar(&f.profiles, "profiles", "", "file of profiles; looked at again when it changes (default: PROFILES_FILE)")
}

func profileFlag(c *cobra.Command, f *localFlags) {
	c.Flags().StringVar(&f.profile, "profile", "", "profile to ask with here, whatever it matches")
}

// profiles reads the file of profiles, if there is one.
func (l *local) profiles(ctx context.Context) error {
	at := l.at
	if at.File == "" {
		return nil
	}
	live, err := profiles.Open(at.File, profiles.Deployment{
		Open: func(k profiles.Knowledge) (pipeline.Retriever, error) { return l.lookIn(ctx, at.File, k) },
		Try:  l.flags.profile, Money: l.limits.Money(), Price: l.system.Price,
	})
	if err != nil {
		return profilesMistake(err)
	}
	l.live, l.system.Profiles = live, live
	return nil
}

// profilesMistake is a mistake in the file, as wrong as one in a flag.
func profilesMistake(err error) error {
	var mistakes profiles.Mistakes
	if errors.As(err, &mistakes) {
		return usageError{err}
	}
	return err
}

// lookIn opens what a profile of the file is looked up in. Folders are named from
// where the file is. The demo model has no account to search a knowledge base with.
func (l *local) lookIn(ctx context.Context, file string, k profiles.Knowledge) (pipeline.Retriever, error) {
	if k.Docs != "" {
		if !filepath.IsAbs(k.Docs) {
			k.Docs = filepath.Join(filepath.Dir(file), k.Docs)
		}
		return l.folders.index(ctx, k.Docs, k.CitationURL)
	}
	k = k.Over(deployedKnowledge(l.models))
	if k.Base == "" || l.flags.model != "bedrock" {
		return nil, nil
	}
	return bedrockRetriever(ctx, k)
}

// deployedKnowledge is where the environment says to look.
func deployedKnowledge(m config.Model) profiles.Knowledge {
	return profiles.Knowledge{Base: m.KnowledgeBase, Filter: []byte(m.Filter), Rerank: m.RerankModelARN, CitationURL: m.CitationBaseURL}
}
