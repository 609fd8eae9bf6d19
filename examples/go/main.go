// SPDX-License-Identifier: MIT

// HTTP in Go, behind ktlsd: go build -o server *.go
// ktls-run --queue PATH -- ./server
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		got, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			log.Print("ended: ", err)
			return
		}
		size := 0
		fmt.Sscanf(r.URL.Path, "/bytes/%d", &size)
		fmt.Fprintf(w, "%sgot %d\n", make([]byte, size), got)
	})
	log.Fatal(http.Serve(queue(3), nil))
}
