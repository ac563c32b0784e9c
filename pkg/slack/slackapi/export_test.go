package slackapi

// PartLimits lets tests make short answers long.
var PartLimits = &partLimits
