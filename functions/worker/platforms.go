package main

import (
	"context"
	"errors"

	"parley/pkg/chat"
	"parley/pkg/config"
	"parley/pkg/dingtalk/dingapi"
	"parley/pkg/pipeline"
)

// readers are the reading half of the platforms: files and threads beside the
// question.
func (d deployment) readers(ctx context.Context) (map[chat.Platform]pipeline.Reader, error) {
	var (
		s config.Slack
		t config.DingTalk
	)
	if err := errors.Join(config.Load(&s), config.Load(&t)); err != nil {
		return nil, err
	}
	readers := map[chat.Platform]pipeline.Reader{}
	switch api, err := d.Slack(ctx, s); {
	case err != nil:
		return nil, err
	case api != nil:
		readers[chat.Slack] = api.Reader()
	}
	switch api, err := d.DingTalk(ctx, t); {
	case err != nil:
		return nil, err
	case api != nil:
		readers[chat.DingTalk] = dingapi.NewReader(api)
	}
	return readers, nil
}
