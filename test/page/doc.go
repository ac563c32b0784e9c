// Package page uses the chat page as a person does: the real program, in a real
// browser. It needs a Chromium and runs with -chromium (make test-page); what the
// page is told over HTTP is tested with pkg/webchat, without one.
package page
