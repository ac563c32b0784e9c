package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// promptAge is how long a prompt that was read is good for.
const promptAge = 5 * time.Minute

// prompt is the system prompt in an SSM parameter. It is safe for concurrent use.
type prompt struct {
	client *ssm.Client
	name   string
	log    *slog.Logger

	mu     sync.Mutex
	value  string
	readAt time.Time
}

// readPrompt reads the prompt. Without one there is no sense in starting: answers
// would be given in another voice than the operator's.
func readPrompt(ctx context.Context, client *ssm.Client, name string, log *slog.Logger) (*prompt, error) {
	p := &prompt{client: client, name: name, log: log}
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *prompt) read(ctx context.Context) error {
	out, err := p.client.GetParameter(ctx, &ssm.GetParameterInput{Name: &p.name})
	if err != nil {
		return fmt.Errorf("read the system prompt from SYSTEM_PROMPT_PARAMETER %s: %w", p.name, err)
	}
	p.value, p.readAt = aws.ToString(out.Parameter.Value), time.Now()
	return nil
}

// text returns the prompt, read anew once it is old. When that fails, the prompt
// at hand stays good.
func (p *prompt) text(ctx context.Context) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.readAt) < promptAge {
		return p.value
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if err := p.read(ctx); err != nil {
		p.log.WarnContext(ctx, "system prompt", "err", err)
		p.readAt = time.Now().Add(time.Minute - promptAge) // ask again in a minute
	}
	return p.value
}
