package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"parley/pkg/chat"
	"parley/pkg/phrase"
)

// Bounds of what is read of the files that come with one question. The sizes are
// those of Bedrock's Converse: a larger file could be shown to no model.
const (
	maxFiles      = 5
	maxFilesBytes = 20_000_000
	maxFileBytes  = 4_500_000
	maxImageBytes = 3_750_000
	openTimeout   = 30 * time.Second // for all of them together
)

// Extract tells what a file is by its bytes (a MIME type, "" if they tell nothing)
// and what it says. An error is a reason to tell people; kind stands beside it. It
// is pure and never panics.
type Extract func(name string, data []byte) (kind, text string, err error)

// attachments opens the files that came with the question. Each becomes an
// attachment: with its bytes, its text, or the reason why there is neither. A file
// that cannot be read does not keep the question from being answered.
func (a *attempt) attachments(ctx context.Context) []Attachment {
	if len(a.m.Files) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, openTimeout, errors.New("reading the attached files took too long"))
	defer cancel()
	var all []Attachment
	bytes, tokens := maxFilesBytes, a.w.config().FileTokens
	for i, f := range a.m.Files {
		file := Attachment{Name: readableName(f.Name, i), MIMEType: f.MIMEType}
		switch {
		case i >= maxFiles:
			file.Problem = fmt.Sprintf("only the first %d files are read", maxFiles)
		case f.Size > maxFileBytes:
			file.Problem = tooLarge(maxFileBytes)
		default:
			end := a.step(ctx, phrase.In(a.language()).Say("step.file", file.Name))
			a.read(ctx, &file, f, min(bytes, maxFileBytes))
			end("")
		}
		bytes -= len(file.Data)
		tokens -= file.present(tokens)
		all = append(all, file)
	}
	return all
}

// read fills in what f's bytes tell, at most limit of them.
func (a *attempt) read(ctx context.Context, file *Attachment, f chat.File, limit int) {
	reader := a.w.Readers[a.m.Conversation.Platform]
	if reader == nil || a.w.Extract == nil {
		file.Problem = "Parley cannot read files here"
		return
	}
	data, err := download(ctx, reader, a.m, f, limit)
	switch {
	case errors.Is(err, errTooLarge):
		file.Problem = tooLarge(limit)
		return
	case err != nil:
		a.log.WarnContext(ctx, "open file", "err", err)
		file.Problem = whyNotOpened(err)
		return
	case len(data) == 0:
		file.Problem = "it is empty"
		return
	}
	kind, text, err := a.w.Extract(f.Name, data)
	file.MIMEType, file.Data, file.Text = kind, data, strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(kind, "image/") && len(data) > maxImageBytes:
		file.Data, file.Problem = nil, tooLarge(maxImageBytes)
	case err != nil:
		// A model refuses the whole question over a document it cannot open.
		file.Data, file.Problem = nil, err.Error()
	case strings.HasPrefix(kind, "text/"):
		file.Data = nil // its text is all there is to it
	}
}

var errTooLarge = errors.New("the file is too large")

// download reads a file, whatever size its platform claims.
func download(ctx context.Context, r Reader, m chat.Message, f chat.File, limit int) ([]byte, error) {
	body, err := r.Open(ctx, m, f)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	switch {
	case err != nil:
		return nil, causeOf(ctx, fmt.Errorf("read file: %w", err))
	case len(data) > limit:
		return nil, errTooLarge
	}
	return data, nil
}

func tooLarge(limit int) string {
	return fmt.Sprintf("it is larger than %.4g MB", float64(limit)/1_000_000)
}

// whyNotOpened is the reason as the person should hear it.
func whyNotOpened(err error) string {
	switch Classify(err).Reason {
	case ReasonConfig:
		return "Parley has no access to it"
	case ReasonChat:
		return "it is not kept where Parley can read it, or it is gone"
	}
	return "it could not be downloaded"
}

// cutMark ends the text of a document that is longer than fits.
const cutMark = "\n[The rest of this document was left out: it is too long.]"

// present bounds what is shown of the file to so many tokens of text, and returns
// how many it takes. Of a document too long for that its bytes would be too.
func (f *Attachment) present(tokens int) int {
	need := EstimateTokens(f.Text)
	if f.Text == "" || need <= tokens {
		return need
	}
	f.Data = nil
	f.Text = firstTokens(f.Text, tokens)
	if f.Text == "" {
		f.Problem = "the files before it took all the space there is"
		return 0
	}
	f.Text += cutMark
	return tokens
}

// firstTokens is the beginning of text, about so many tokens of it.
func firstTokens(text string, tokens int) string {
	quarters := 0
	for i, r := range text {
		switch {
		case r < 0x80:
			quarters++
		case r < 0x1100:
			quarters += 2
		default:
			quarters += 4
		}
		if quarters > tokens*4 {
			return text[:i]
		}
	}
	return text
}

// readableName is a file's name without what could be taken for anything else, as
// people and models are shown it.
func readableName(name string, i int) string {
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	}), " ")
	if name == "" {
		return fmt.Sprintf("file %d", i+1)
	}
	if r := []rune(name); len(r) > 80 {
		return string(r[:60]) + "…" + string(r[len(r)-19:])
	}
	return name
}

// attachedText is what a turn remembers of its files: their text, and of what has
// none that it was there.
func attachedText(files []Attachment) string {
	var b strings.Builder
	for _, f := range files {
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		switch {
		case f.Text != "":
			fmt.Fprintf(&b, "%s:\n%s", f.Name, f.Text)
		case f.Data != nil:
			fmt.Fprintf(&b, "%s: (shown with the question, not kept)", f.Name)
		default:
			fmt.Fprintf(&b, "%s: (not read: %s)", f.Name, f.Problem)
		}
	}
	return b.String()
}

// fit drops from a window what exceeds the room for talk, oldest turns first, and
// the text of documents that exceeds the room for files, so that a long document
// does not push the conversation out of sight, nor the other way round.
func fit(turns []Turn, talk, files int) []Turn {
	for i := len(turns) - 1; i >= 0; i-- {
		t := &turns[i]
		if talk -= EstimateTokens(t.Question) + EstimateTokens(t.Answer); talk < 0 {
			return turns[i+1:]
		}
		if need := EstimateTokens(t.Attachments); need <= files {
			files -= need
		} else {
			t.Attachments = ""
		}
	}
	return turns
}
