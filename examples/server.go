// SPDX-License-Identifier: MIT

// HTTP in Go, behind ktlsd, by the package that is installed with libktls:
// GO111MODULE=off GOPATH=/usr/local/share/gocode go build -o server server.go
// ktls-run --queue PATH -- ./server
package main

import (
	"fmt"
	"io"
	"ktls"
	"log"
	"net/http"
)

func answer(w http.ResponseWriter, r *http.Request) {
	got, err := io.Copy(io.Discard, r.Body)
	if err != nil { // cut off, or what net/http says of its end
		log.Print("ended: ", err)
		return
	}
	size := 0
	fmt.Sscanf(r.URL.Path, "/bytes/%d", &size)
	fmt.Fprintf(w, "%sgot %d\n", make([]byte, size), got)
}

func main() {
	queue, err := ktls.Inherit() // a net.Listener
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(queue, http.HandlerFunc(answer)))
}
