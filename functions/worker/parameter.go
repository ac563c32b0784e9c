package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// parameter is what an operator keeps in an SSM parameter and changes without a
// deployment. It is read anew once it is old. A value that use refuses is told once
// and leaves what was. It is safe for concurrent use.
type parameter struct {
	client *ssm.Client
	env    string // the variable that names it
	name   string // "" is none
	age    time.Duration
	use    func(value string) error
	log    *slog.Logger

	mu      sync.Mutex
	version int64     // of what was last read; guarded by mu
	readAt  time.Time // guarded by mu
}

// maxVersionsBack is how many versions are tried for one that is right. SSM keeps a
// hundred.
const maxVersionsBack = 10

// first reads the parameter. Where its newest version is refused, the newest one
// that is not is used, as a process would that has been there for longer. Without
// any there is no sense in starting: answers would be given as nobody wants them.
func (p *parameter) first(ctx context.Context) error {
	if p.name == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	newest, value, err := p.get(ctx, p.name)
	if err != nil {
		return err
	}
	p.version, p.readAt = newest, time.Now()
	refused := p.use(value)
	for v := newest - 1; refused != nil && v > 0 && v >= newest-maxVersionsBack; v-- {
		if _, value, err = p.get(ctx, fmt.Sprintf("%s:%d", p.name, v)); err != nil {
			break
		}
		if p.use(value) == nil {
			p.log.ErrorContext(ctx, "parameter is wrong, an older version is in force", "name", p.name, "version", newest, "in_force", v, "err", refused)
			return nil
		}
	}
	if refused != nil {
		return fmt.Errorf("%s %s: %w", p.env, p.name, refused)
	}
	return nil
}

// refresh reads the parameter if it is old. Where that fails, what there is stays
// good for a while.
func (p *parameter) refresh(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.name == "" || time.Since(p.readAt) < p.age {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	p.readAt = time.Now()
	version, value, err := p.get(ctx, p.name)
	if err != nil {
		p.log.WarnContext(ctx, "parameter", "err", err)
		p.readAt = p.readAt.Add(min(0, time.Minute-p.age)) // ask again in a minute at the latest
		return
	}
	if version == p.version {
		return
	}
	p.version = version
	if err := p.use(value); err != nil {
		p.log.ErrorContext(ctx, "parameter is wrong, the last good version stays in force", "name", p.name, "version", version, "err", err)
	}
}

func (p *parameter) get(ctx context.Context, name string) (version int64, value string, err error) {
	out, err := p.client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return 0, "", fmt.Errorf("read the parameter %s, which %s names: %w", name, p.env, err)
	}
	return out.Parameter.Version, aws.ToString(out.Parameter.Value), nil
}

// prompt is the system prompt of places without one of their own.
type prompt struct {
	parameter
	value atomic.Value // a string
}

func (d deployment) prompt(name string) *prompt {
	p := &prompt{}
	p.parameter = parameter{
		client: ssm.NewFromConfig(d.AWS), env: "SYSTEM_PROMPT_PARAMETER", name: name, age: 5 * time.Minute, log: d.Log,
		use: func(value string) error {
			p.value.Store(value)
			return nil
		},
	}
	return p
}

// text returns the prompt.
func (p *prompt) text(ctx context.Context) string {
	p.refresh(ctx)
	return p.value.Load().(string)
}
