// Package markdown prepares what a model wrote for chat platforms: it cuts long
// answers into messages, makes mentions harmless, finds how much of a growing
// answer can be shown already, and reduces Markdown to plain text.
//
// It works on CommonMark with tables, and only ever adds what a cut needs: code
// fences closed and opened again, a table's header repeated, an indentation taken
// away. It renders nothing and knows no platform.
//
// Safe, then Split or Settled, is the order to use them in: Safe makes text
// longer. For text that grows at its end,
//
//   - Safe(a)[:Settled(Safe(a))] is a prefix of Safe(ab), and
//   - once Split has cut, all parts but the last stay as they are,
//
// which lets a caller append to, and edit in place, what people see already. See
// Split for the limits of the second.
package markdown
