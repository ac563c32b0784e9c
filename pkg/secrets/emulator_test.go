package secrets_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"parley/pkg/secrets"
)

// TestRotationOnEmulator rotates a secret in a Secrets Manager that somebody else
// wrote. scripts/emulators starts it and sets the variable.
func TestRotationOnEmulator(t *testing.T) {
	endpoint := os.Getenv("PARLEY_TEST_SECRETS_URL")
	if endpoint == "" {
		t.Skip("PARLEY_TEST_SECRETS_URL is not set; make test-emulators sets it")
	}
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
	client := secretsmanager.NewFromConfig(cfg)
	created, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("parley/" + rand.Text()), SecretString: aws.String(signing("old")),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := secrets.New(secrets.NewClient(cfg), *created.ARN, secrets.SigningSecret)
	seen, err := s.All(t.Context())
	if err != nil || len(seen) != 1 {
		t.Fatalf("All = %d versions, %v", len(seen), err)
	}
	if changed, err := s.Refused(t.Context(), seen); changed || err != nil {
		t.Errorf("Refused without a rotation = %v, %v", changed, err)
	}
	put := &secretsmanager.PutSecretValueInput{SecretId: created.ARN, SecretString: aws.String(signing("new"))}
	if _, err := client.PutSecretValue(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.Refused(t.Context(), seen); !changed || err != nil {
		t.Errorf("Refused after a rotation = %v, %v", changed, err)
	}
	if got := s.Valid(secrets.SigningSecret, slog.New(slog.DiscardHandler))(); !slices.Equal(got, []string{"new", "old"}) {
		t.Errorf("valid = %v, want the new one and the old one", got)
	}
	missing := secrets.New(secrets.NewClient(cfg), fmt.Sprint(*created.ARN, "x"), secrets.SigningSecret)
	if _, err := missing.Current(t.Context()); err == nil {
		t.Error("a secret that does not exist was read")
	}
}
