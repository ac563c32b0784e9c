package dynamostore_test

import (
	"crypto/rand"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/pkg/dynamostore"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
)

// TestContractsOnEmulator runs the suites over sockets against DynamoDB Local,
// which AWS wrote. scripts/emulators starts it and sets the variable.
func TestContractsOnEmulator(t *testing.T) {
	endpoint := os.Getenv("PARLEY_TEST_DYNAMODB_URL")
	if endpoint == "" {
		t.Skip("PARLEY_TEST_DYNAMODB_URL is not set; make test-emulators sets it")
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	newStores := func(t *testing.T) pipelinetest.StoresUnderTest {
		store := emulatedStore(t, client)
		return pipelinetest.StoresUnderTest{Cases: store, Memory: store, Deliveries: store, People: store}
	}
	var f pipelinetest.Features
	pipelinetest.TestCases(t, newStores, f)
	pipelinetest.TestMemory(t, newStores, f)
	pipelinetest.TestDeliveries(t, newStores, f)
	pipelinetest.TestPeople(t, newStores, f)
	pipelinetest.TestQuotas(t, func(t *testing.T) pipeline.Quotas { return emulatedStore(t, client) }, f)
}

// emulatedStore is a store on a fresh table, as the template describes it.
func emulatedStore(t *testing.T, client *dynamodb.Client) *dynamostore.Store {
	t.Helper()
	name := "parley-" + rand.Text()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return dynamostore.New(client, name, memoryDays*24*time.Hour)
}
