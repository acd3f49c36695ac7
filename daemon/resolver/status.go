package resolver

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Status is the answer to an update: the data part if it was done.
type Status struct {
	Account string `json:"account,omitempty"`
	Code    int    `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Failure is the error part if it was not.
type Failure struct {
	Account     string `json:"account,omitempty"`
	Code        int    `json:"code"`
	Description string `json:"description,omitempty"`
}

// respond logs how a request ended and answers it. account may be empty.
func respond(log *logging.Logger, r *Request, account, message string, err error) {
	line := message
	if account != "" {
		line += " - " + account
	}
	if err != nil {
		log.Error(fmt.Sprintf("%s - %v", line, err), logging.Err(err))
		r.Respond(nil, Failure{Account: account, Code: http.StatusInternalServerError, Description: fmt.Sprintf("%s - %v", message, err)})
		return
	}
	log.Debug(line)
	r.Respond(Status{Account: account, Code: http.StatusOK, Message: message}, nil)
}

// accountOf returns the account in the subject of an update, new or old.
func accountOf(subject string) string {
	tokens := strings.Split(subject, ".")
	switch {
	case len(tokens) == 6: // $SYS.REQ.ACCOUNT.<id>.CLAIMS.UPDATE
		return tokens[3]
	case len(tokens) == 5: // $SYS.ACCOUNT.<id>.CLAIMS.UPDATE
		return tokens[2]
	}
	return ""
}
