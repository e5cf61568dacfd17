package cli

import (
	"testing"

	"go.uber.org/goleak"

	"tocsin/lambda"
)

func TestMain(m *testing.M) {
	lambda.Inside()
	goleak.VerifyTestMain(m)
}
