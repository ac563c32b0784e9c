package bedrock

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	_ "image/gif"  // sizes of pictures
	_ "image/jpeg" // sizes of pictures
	_ "image/png"  // sizes of pictures
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"parley/pkg/pipeline"
)

// Limits of one Converse request.
const (
	maxImages        = 20
	maxImageBytes    = 3_750_000
	maxImageSide     = 8000 // pixels
	maxDocuments     = 5
	maxDocumentBytes = 4_500_000
	maxInlineBytes   = 200_000 // of text sent as text; ours, not the service's
)

var imageFormats = map[string]types.ImageFormat{
	"image/png":  types.ImageFormatPng,
	"image/jpeg": types.ImageFormatJpeg,
	"image/gif":  types.ImageFormatGif,
	"image/webp": types.ImageFormatWebp,
}

var documentFormats = map[string]types.DocumentFormat{
	"application/pdf":    types.DocumentFormatPdf,
	"text/csv":           types.DocumentFormatCsv,
	"text/html":          types.DocumentFormatHtml,
	"text/markdown":      types.DocumentFormatMd,
	"text/plain":         types.DocumentFormatTxt,
	"application/msword": types.DocumentFormatDoc,
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": types.DocumentFormatDocx,
	"application/vnd.ms-excel": types.DocumentFormatXls,
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": types.DocumentFormatXlsx,
}

// attached is what becomes of a prompt's attachments.
type attached struct {
	blocks    []types.ContentBlock
	documents int
	images    int
	text      []string // of documents for models that take none
	notes     []string // about what cannot be shown, so that the model says so
}

// attach renders attachments within the limits and can. Names that people chose
// reach the model in notes alone, cut down to letters and digits: they could carry
// instructions.
func attach(attachments []pipeline.Attachment, can Capabilities) attached {
	var a attached
	for i, file := range attachments {
		kind, _, _ := strings.Cut(file.MIMEType, ";")
		if problem := a.add(file, strings.ToLower(strings.TrimSpace(kind)), can); problem != "" {
			a.notes = append(a.notes, fmt.Sprintf("(Attachment %d%s cannot be shown to you: %s. Say so if it matters.)", i+1, called(file.Name), problem))
		}
	}
	return a
}

// add places one file, itself or its text, and returns why it cannot, "" if it
// could.
func (a *attached) add(file pipeline.Attachment, kind string, can Capabilities) string {
	problem := cmp.Or(file.Problem, "it is empty")
	if len(file.Data) > 0 {
		refused := a.addData(file, kind, can)
		if refused == "" {
			return ""
		}
		problem = cmp.Or(file.Problem, refused)
	}
	if file.Text != "" {
		return a.addText([]byte(file.Text))
	}
	return problem
}

// called is a name as it stands in a note.
func called(name string) string {
	plain := strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	}), " ")
	if r := []rune(plain); len(r) > 80 {
		plain = string(r[:80])
	}
	if plain == "" {
		return ""
	}
	return fmt.Sprintf(", %q,", plain)
}

// addData shows a file itself.
func (a *attached) addData(file pipeline.Attachment, kind string, can Capabilities) string {
	format, isImage := imageFormats[kind]
	document, isDocument := documentFormats[kind]
	isText := strings.HasPrefix(kind, "text/") || kind == "application/json"
	switch {
	case len(file.Data) == 0:
		return "it is empty"
	case isImage && can.Images:
		return a.addImage(file.Data, format)
	case isDocument && can.Documents:
		return a.addDocument(file.Data, document)
	case isText && can.Documents:
		return a.addDocument(file.Data, types.DocumentFormatTxt)
	case isText:
		return a.addText(file.Data)
	case isImage:
		return "this model takes no pictures"
	case isDocument:
		return "this model takes no documents"
	}
	return "its format is not supported"
}

func (a *attached) addImage(data []byte, format types.ImageFormat) string {
	size, _, err := image.DecodeConfig(bytes.NewReader(data))
	switch {
	case a.images == maxImages:
		return "there are too many pictures"
	case len(data) > maxImageBytes:
		return "the picture is larger than 3.75 MB"
	case err == nil && max(size.Width, size.Height) > maxImageSide: // webp cannot be measured here
		return "the picture is larger than 8000 pixels"
	}
	a.images++
	a.blocks = append(a.blocks, &types.ContentBlockMemberImage{Value: types.ImageBlock{
		Format: format, Source: &types.ImageSourceMemberBytes{Value: data},
	}})
	return ""
}

func (a *attached) addDocument(data []byte, format types.DocumentFormat) string {
	switch {
	case a.documents == maxDocuments:
		return "there are too many documents"
	case len(data) > maxDocumentBytes:
		return "the document is larger than 4.5 MB"
	}
	a.documents++
	a.blocks = append(a.blocks, &types.ContentBlockMemberDocument{Value: types.DocumentBlock{
		Name:   aws.String(fmt.Sprintf("doc %d", a.documents)),
		Format: format, Source: &types.DocumentSourceMemberBytes{Value: data},
	}})
	return ""
}

func (a *attached) addText(data []byte) string {
	switch {
	case len(data) > maxInlineBytes:
		return "the text is longer than 200 KB"
	case !utf8.Valid(data):
		return "it is not text in UTF-8"
	}
	a.text = append(a.text, string(data))
	return ""
}
