package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"

	"parley/pkg/bedrock"
	"parley/pkg/config"
	"parley/pkg/notes"
)

// rememberedDir is the folder, below that of --docs, in which remembered threads
// are kept: the index finds them there like any other document.
const rememberedDir = "remembered"

// expireEvery is how often notes whose time has come are removed.
const expireEvery = time.Minute

// remember lets the people named in APPROVERS have threads remembered, where there
// is something to keep them in: the folder of documents, or the knowledge base. It
// comes before the folder is read, so that nothing is found whose time has come.
func (l *local) remember(ctx context.Context) error {
	var r config.Remember
	if err := config.Load(&r); err != nil {
		return configMistake(err)
	}
	l.system.Config.Profile.Approvers, l.system.Config.RememberDays = r.Approvers, r.Days
	switch {
	case l.flags.docs != "":
		l.notes = notes.New(filepath.Join(l.flags.docs, rememberedDir), nil)
		l.system.Knowledge = l.notes
		_, err := l.notes.Expire(ctx, time.Now())
		return err
	case l.flags.model == "bedrock" && l.models.KnowledgeBase != "" && r.Source != "":
		cfg, err := loadAWS(ctx)
		if err != nil {
			return err
		}
		l.system.Knowledge, err = bedrock.NewKnowledge(bedrockagent.NewFromConfig(cfg), l.models.KnowledgeBase, r.Source)
		return err
	}
	return nil
}
