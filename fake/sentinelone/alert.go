package sentinelone

import "net/http"

// Alert is a Unified Alert.
type Alert struct{ ID string }

func (c *Console) graphql(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusNotFound, "Not found", "Not found")
}
