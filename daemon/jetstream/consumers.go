package jetstream

import (
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// consumers answers requests for consumers: streams have none, and none can be made.
func (a *account) consumers(r *request) {
	switch r.op {
	case api.ConsumerNamesOp:
		if a.target(r, 3) != nil {
			a.respond(r, api.ConsumerNamesAnswer{Answer: r.op.Answer(), Page: api.Page{Limit: api.MaxNames}, Consumers: []string{}})
		}
	case api.ConsumerListOp:
		if a.target(r, 3) != nil {
			a.respond(r, api.ConsumerListAnswer{Answer: r.op.Answer(), Page: api.Page{Limit: api.MaxList}, Consumers: []*api.ConsumerInfo{}})
		}
	case api.ConsumerInfoOp, api.ConsumerDeleteOp:
		if a.target(r, 3) != nil {
			a.fail(r, api.ConsumerNotFound.Error())
		}
	default:
		a.fail(r, api.ConsumerCreate.Error("consumers are not available in this version of nats-broker"))
	}
}
