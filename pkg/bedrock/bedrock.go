// Package bedrock puts Amazon Bedrock behind Parley's interfaces: a model on
// ConverseStream, a retriever and a store of knowledge on Knowledge Bases, and what
// a call costs.
//
// It keeps no state between calls but the SDK's retry budget, reads no environment,
// and takes clients that the caller made from its own configuration. Everything that
// is sent can be repeated; nothing that was already said to the consumer is ever
// said again. Errors are classified (see pipeline.Error) and hold no message text.
//
// It does not remember conversations, rewrite questions or run tools, and it does
// not use RetrieveAndGenerate: memory, citations and the guardrail stay in Parley's
// hands.
//
// Facts of the wire are from the service's API model as the SDK carries it, and
// where that is silent from the Bedrock user guide; package bedrocktest speaks them.
package bedrock
