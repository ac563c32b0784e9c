// Package docindex is a knowledge base on one machine: it reads a folder of
// Markdown, text, HTML and PDF files and finds passages in them, with where they
// are from. It implements pipeline.Retriever.
//
// It finds words, not meanings: BM25 over SQLite's FTS5, for English with Porter
// stems, for Chinese, Japanese and Korean with pairs of neighbouring characters. A
// question finds documents in its own language. It calls no model and no network.
//
// Documents are cut along their headings: parents of about 1,500 tokens, which the
// model is shown, made of children of about 300, which are searched. Ordered steps
// stay together.
//
// The index is a file of its own and only a cache: whatever is in it can be read
// from the folder again, so it may be deleted at any time, it is built anew when
// its form changes, and losing the last moments of it to a power cut loses nothing.
// It is not in the file of pkg/sqlitestore because its long writes would hold up
// the writes that people wait for.
//
// What it promises: after a Refresh that returned no error, answers come from the
// files as they were during it, deleted ones are gone, and each file that could not
// be read is reported and did not keep the others out. It follows no symbolic
// links and reads no hidden files.
package docindex
