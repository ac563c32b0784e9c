package scrub

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"write to ann.o'neil@example.co.uk today": "write to ann.o'[email] today",
		"mail a+b@x.io.":                          "mail [email].",
		"call +86 138 1234 5678 now":              "call [phone] now",
		"电话13812345678，谢谢":                        "电话[phone]，谢谢",
		"座机 010-12345678":                         "座机 [phone]",
		"(415) 555-2671 or 415-555-2671":          "[phone] or [phone]",
		"card 4111 1111 1111 1111 ok":             "card [card number] ok",
		"order 4111 1111 1111 1112":               "order 4111 1111 1111 1112",
		"身份证 11010519491231002X":                  "身份证 [identity number]",
		"serial 110105194912310021":               "serial 110105194912310021",
		"ssn 078-05-1120":                         "ssn [identity number]",
		"xoxb-" + "123456789012-abcDEF":           "[token]",
		"key AKIA" + "IOSFODNN7EXAMPLE.":          "key [key].",
		"LTAI" + "5tAbCdEfGhIjKlMnOpQr":           "[key]",
		"ghp_" + "abcdefghijklmnopqrstuvwxyz0123": "[token]",
		"Authorization: Bearer abcdef0123456789":  "Authorization: Bearer [token]",
		"postgres://app:hunter2@db/x":             "postgres://app:[password]@db/x",
		`password: "hunter22"`:                    `password: "[secret]"`,
		"密码：abc12345，请保密":                         "密码：[secret]，请保密",
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter": "[private key]\nafter",
		"-----BEGIN PRIVATE KEY-----\ncut off":                                        "[private key]",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc":                                    "[token]",
		"https://hooks.slack.com/services/T0/B0/x":                                    "[link]",
		"version 1.2.3 on 2026-05-28 at 10:30, 12 EUR, @ann, port 8080":               "version 1.2.3 on 2026-05-28 at 10:30, 12 EUR, @ann, port 8080",
		"The token is in the vault.":                                                  "The token is in the vault.",
		"commit 0123456789abcdef0123456789abcdef01234567":                             "commit 0123456789abcdef0123456789abcdef01234567",
	} {
		got, found := Text(in)
		if got != want || (found > 0) != (in != want) {
			t.Errorf("%q became %q (%d), want %q", in, got, found, want)
		}
	}
}

// FuzzText checks that scrubbing twice changes nothing more, and that a secret does
// not come through whatever stands around it.
func FuzzText(f *testing.F) {
	f.Add("hello", "world")
	f.Add("password: ", " a@b.cc 13812345678")
	f.Add("://x:", "@")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "AKIA" + "IOSFODNN7EXAMPLE"
		once, _ := Text(before + " " + secret + " " + after)
		if strings.Contains(once, secret) && !strings.Contains(before+after, secret) {
			t.Fatalf("%q holds the key", once)
		}
		if twice, _ := Text(once); twice != once {
			t.Fatalf("%q became %q", once, twice)
		}
	})
}
