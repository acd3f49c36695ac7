package logging

// entry is a row of the message catalogue. Texts may name fields of the line as @FIELD@; journalctl fills them in.
type entry struct {
	name    string   // short name: JSON lines, RFC 5424 MSGID
	uuid    string   // 128 bits in hexadecimal, drawn once at random; never reused
	fields  []string // that each line of the kind carries, in the order of telling
	weighs  Level    // the priority for the machine's log; 0: as heavy as the line is
	burst   int      // lines of this kind within repeatWindow before the rest is only counted; 0: no limit
	subject string   // headline
	explain string   // what happened and what it means
	remedy  string   // what to do
}

// catalogue is the one table. systemd/nats-broker.catalog is generated from it (go test -run TestCatalogFile -update).
var catalogue = [numMessageIDs]entry{
	ReloadRefused: {
		name:    "reload-refused",
		uuid:    "7f3a2f29880445d9b554bdf3f879f6d4",
		fields:  []string{FieldReason, FieldConfigFile, FieldCause, FieldError},
		subject: "A new configuration was refused",
		explain: "The configuration was read again and refused: @NATS_REASON@. Nothing has changed; the broker keeps " +
			"running with the configuration it had.",
		remedy: "Correct the file and reload again. 'nats-broker -t -c @NATS_CONFIG_FILE@' checks it without touching " +
			"the running broker; 'nats-broker status' shows which configuration is in use.",
	},
	ReloadApplied: {
		name:    "reload-applied",
		uuid:    "552846bf119e43b1b50a5461e14d9ca8",
		fields:  []string{FieldCause, FieldChanges},
		subject: "A new configuration is in use",
		explain: "The configuration was read again and every part of the broker has taken it over. The lines around " +
			"this one list what changed.",
		remedy: "Nothing needs to be done.",
	},
	LastGoodInUse: {
		name:    "last-good-in-use",
		uuid:    "3ac6704c3a8346e4847d91e806eeb7c7",
		fields:  []string{FieldReason, FieldConfigFile, FieldError},
		subject: "The configuration is unusable, the last good one is in use",
		explain: "At start the configuration file was refused: @NATS_REASON@. So that clients are served at all, the " +
			"broker runs with the copy of the configuration that it last ran with. Changes made since then are " +
			"not in force.",
		remedy: "Correct the file and run 'systemctl reload'. Until then 'nats-broker status' exits with an error and " +
			"/healthz has a remark beside its status, which is ok since clients are served.",
	},
	ConfigWatchFailed: {
		name:    "config-watch-failed",
		uuid:    "eff71856275f48f5b0cf0706f9ce812b",
		fields:  []string{FieldError},
		subject: "The configuration files cannot be watched",
		explain: "The kernel refused to report changes of the configuration files: @NATS_ERROR@. The broker looks at " +
			"the files every few seconds instead, so that changes take effect later than usual.",
		remedy: "Often the user's inotify watches are used up: raise fs.inotify.max_user_watches or " +
			"fs.inotify.max_user_instances. 'systemctl reload' works in any case.",
	},
	ListenerFailed: {
		name:    "listener-failed",
		uuid:    "109d82624f7e4694b1955592d986b1e5",
		fields:  []string{FieldListener, FieldError},
		subject: "A listening socket failed",
		explain: "The broker cannot accept connections on @NATS_LISTENER@: @NATS_ERROR@.",
		remedy: "If the address is in use, 'ss -ltnp' names the process that holds it. If it cannot be assigned, the " +
			"address does not belong to this machine yet. A port below 1024 needs CAP_NET_BIND_SERVICE or a " +
			"socket unit.",
	},
	LameDuckEntered: {
		name:    "lame-duck-entered",
		uuid:    "f49096f634f14217972e349e8b883cd0",
		subject: "The broker is handing its clients over before it stops",
		explain: "Lame duck mode was asked for. No new connection is accepted, clients have been told to look for " +
			"another server, and the remaining ones are closed one after another. Then the broker exits.",
		remedy: "Nothing needs to be done. Clients that know only this server will try to connect to it again.",
	},
	SlowConsumer: {
		name:    "slow-consumer",
		uuid:    "641e0d6d53cd4f13b544adfab361426f",
		burst:   200,
		fields:  []string{FieldClientID, FieldRemote, FieldAccount, FieldUser, FieldReason},
		weighs:  Warn,
		subject: "A client does not read fast enough and was disconnected",
		explain: "Client @NATS_CLIENT_ID@ at @NATS_REMOTE@ left more data waiting than max_pending allows, or did not " +
			"take any for longer than write_deadline: @NATS_REASON@. Its connection was closed so that it cannot " +
			"hold up others; messages waiting for it are lost unless they are stored in a stream.",
		remedy: "Look at the client: a subscriber that works inside its message handler, a slow network, or a subject " +
			"that is wider than intended. More instances in a queue group share the load. Raising max_pending " +
			"only helps against short bursts.",
	},
	FilesExhausted: {
		name:    "files-exhausted",
		uuid:    "fa0481ec543a4cb5a0adb4c9d6d50944",
		fields:  []string{FieldError},
		subject: "The broker has no file descriptors left",
		explain: "A connection could not be accepted: @NATS_ERROR@. Connections that exist are served; new ones wait " +
			"in the kernel's queue until others close.",
		remedy: "Raise LimitNOFILE= in a drop-in ('systemctl edit nats-broker'), or for the whole system fs.file-max, " +
			"or set max_connections below the limit. 'nats-broker status' shows how many connections there are.",
	},
	CertificateExpiring: {
		name:    "certificate-expiring",
		uuid:    "fe65404a089c46d9803ad583d249995f",
		fields:  []string{FieldCertificate, FieldExpires},
		subject: "A certificate is about to expire",
		explain: "The certificate @NATS_CERTIFICATE@ expires on @NATS_EXPIRES@. From then on peers that check it will " +
			"refuse to connect.",
		remedy: "Renew the certificate and replace the file. The broker notices and uses the new one for new " +
			"connections; no reload is needed.",
	},
	CertificateExpired: {
		name:    "certificate-expired",
		uuid:    "c704d41931a94b689054e8b2cb7bc2b4",
		fields:  []string{FieldCertificate, FieldExpires},
		subject: "A certificate has expired",
		explain: "The certificate @NATS_CERTIFICATE@ expired on @NATS_EXPIRES@. Peers that check it refuse to connect.",
		remedy: "Renew the certificate and replace the file. The broker notices and uses the new one for new " +
			"connections. If the certificate is valid, check the clock of this machine ('timedatectl').",
	},
	CertificateReloadRefused: {
		name:    "certificate-reload-refused",
		uuid:    "4125bef675bb4232b6378996a4ffd41d",
		fields:  []string{FieldCertificate, FieldError},
		subject: "A changed certificate was refused",
		explain: "The certificate or key file @NATS_CERTIFICATE@ changed and cannot be used: @NATS_ERROR@. The broker " +
			"keeps using the pair that it had.",
		remedy: "Make sure that certificate and key belong together and that the key can be read by the user nats. " +
			"Files that are written one after the other may be refused in between; the second change is then " +
			"taken over by itself.",
	},
	RouteRefused: {
		name:    "route-refused",
		uuid:    "ed0cf65917b9457d8b7c05d953ae2457",
		burst:   100,
		fields:  []string{FieldRemote, FieldReason},
		weighs:  Warn,
		subject: "A cluster route was refused",
		explain: "The server at @NATS_REMOTE@ was not let into the cluster: @NATS_REASON@.",
		remedy: "Compare cluster.name, cluster.authorization and the TLS settings of both servers. A server that " +
			"connects to itself or a second route to the same server is refused as well and needs no attention.",
	},
	RouteLost: {
		name:    "route-lost",
		uuid:    "8a313b6c894f417bafac33d65ad35552",
		burst:   100,
		fields:  []string{FieldRemote, FieldReason, FieldRoute},
		weighs:  Warn,
		subject: "A cluster route was lost",
		explain: "The route to @NATS_REMOTE@ is closed: @NATS_REASON@. Clients here and there no longer see each " +
			"other's messages until the route is back; the broker tries to connect again by itself.",
		remedy: "If it does not come back: look at the other server, and at the network between the two on the " +
			"cluster port.",
	},
	AuthenticationFailed: {
		name:    "authentication-failed",
		uuid:    "d8edd9873e6647c4852dd71bcd595cac",
		burst:   100,
		fields:  []string{FieldClientID, FieldRemote, FieldReason},
		weighs:  Warn,
		subject: "A peer failed to authenticate",
		explain: "The client at @NATS_REMOTE@ did not present credentials that the configuration knows: @NATS_REASON@.",
		remedy: "A single line is most often a mistyped password or a client that was not updated with a new one. " +
			"Many lines from one address may be an attempt to guess; see the firewall.",
	},
	PermissionsViolation: {
		name:    "permissions-violation",
		uuid:    "6f49f96ad021486c81426e62770b3a93",
		burst:   100,
		fields:  []string{FieldClientID, FieldRemote, FieldAccount, FieldUser, FieldSubject},
		weighs:  Warn,
		subject: "A client tried what it is not allowed to do",
		explain: "User '@NATS_USER@' of account @NATS_ACCOUNT@, connected from @NATS_REMOTE@, published to or subscribed to " +
			"@NATS_SUBJECT@ without permission. The message was not delivered, or the subscription not made; the " +
			"connection stays.",
		remedy: "If the user should be allowed to, add the subject to its permissions and reload. If not, the client is " +
			"misconfigured or curious: the line names it.",
	},
	AuthenticationThrottled: {
		name:    "authentication-throttled",
		uuid:    "b6e48a09af644aba932d48f14d470d87",
		fields:  []string{FieldRemote, FieldCount},
		subject: "An address is slowed down after repeated authentication failures",
		explain: "@NATS_COUNT@ attempts from @NATS_REMOTE@ failed to authenticate within a short time. Further " +
			"attempts from this address are answered with a delay; clients at other addresses are not affected.",
		remedy: "Find the client that retries with wrong credentials, or block the address. The delay ends by itself " +
			"when the failures end.",
	},
	ConnectionPanic: {
		name:    "connection-panic",
		uuid:    "54b3c5de24374ed88ac6e879a438864a",
		fields:  []string{FieldRemote, FieldError},
		subject: "A connection was closed because of a fault in the broker",
		explain: "Handling the connection from @NATS_REMOTE@ ran into a fault of the program itself. " +
			"This connection was closed; the others are served.",
		remedy: "Please report it with the lines around this one: they hold the place in the program. " +
			"https://github.com/nats-broker/nats-broker/issues",
	},
	LogLinesDropped: {
		name:    "log-lines-dropped",
		uuid:    "a9375c58271447999bf9996d43708b21",
		fields:  []string{FieldSink, FieldCount, FieldReason},
		subject: "Log lines were lost",
		explain: "@NATS_COUNT@ lines could not be written to @NATS_SINK@ and are gone: @NATS_REASON@. Other log " +
			"destinations have them.",
		remedy: "See why the destination does not take lines: a full file system, or a syslog receiver that is down " +
			"or slower than the lines arrive. Trace and debug lines are the usual flood: 'nats-broker log-level' " +
			"shows what is on.",
	},
	LogSinkUnreachable: {
		name:    "log-sink-unreachable",
		uuid:    "7926d6a4968b45a1b3258ced5483b0bd",
		fields:  []string{FieldSink, FieldError},
		subject: "A log destination cannot be reached",
		explain: "Lines cannot be sent to @NATS_SINK@: @NATS_ERROR@. They wait in memory up to a limit, and the broker " +
			"tries again with growing pauses.",
		remedy: "Check the receiver and the way to it. Lines beyond the limit are dropped and their number is " +
			"reported when the receiver is back.",
	},
	LogRotationFailed: {
		name:    "log-rotation-failed",
		uuid:    "65f0386451804047bf40760bb5ac8a5f",
		fields:  []string{FieldLogFile, FieldError},
		subject: "The log file could not be rotated",
		explain: "The log file @NATS_LOG_FILE@ could not be renamed or opened anew: @NATS_ERROR@. The broker goes on " +
			"writing to the file that is open.",
		remedy: "The directory must be writable for the user nats, since rotation creates files in it. If logrotate " +
			"does the work, leave log_size_limit out.",
	},
	HandoverLeft: {
		name:    "handover-left",
		uuid:    "6a986d9dac6e819ab41c80f005ba83f5",
		fields:  []string{FieldCount, FieldLost},
		subject: "Connections were left to the next process",
		explain: "The broker stops, and @NATS_COUNT@ client connections stay open: the next process goes on with " +
			"them where this one has stopped. @NATS_LOST@ could not be left and were closed, since they " +
			"speak TLS 1.2, say, or were just being made. If the service is stopped and not restarted, systemd closes " +
			"them all.",
		remedy: "Nothing needs to be done.",
	},
	HandoverTaken: {
		name:    "handover-taken",
		uuid:    "f6f050f0ca9f4d9294601fa8931ec45e",
		fields:  []string{FieldCount, FieldLost},
		subject: "Connections of the process before this one go on",
		explain: "The broker has taken over @NATS_COUNT@ client connections that the process before it had left open. " +
			"Their clients have noticed a pause and nothing else. @NATS_LOST@ were closed: the line says why.",
		remedy: "Nothing needs to be done. Clients that were closed reconnect by themselves; one whose user is not " +
			"configured any more is refused then.",
	},
	HandoverFailed: {
		name:    "handover-failed",
		uuid:    "f27c5cfcbe5ee36e548d15a9c758972f",
		fields:  []string{FieldError},
		subject: "Connections could not be handed over",
		explain: "Client connections that were to outlive a restart were closed: @NATS_ERROR@. Their clients reconnect.",
		remedy: "If a limit is named, raise it: LimitNOFILE= and FileDescriptorStoreMax= of the unit, net.core.wmem_max. " +
			"A state in a newer format is left by a newer version of the program, which was in place before.",
	},
	OpenToAll: {
		name:    "open-to-all",
		uuid:    "3ab4843e4c85409ebbef1fa575572845",
		subject: "Clients of other machines may come in without credentials",
		explain: "The broker listens for clients on an address that other machines reach, and asks them neither for a " +
			"name, a key or a token nor for a certificate: whoever reaches the port may publish and subscribe to " +
			"everything.",
		remedy: "Configure authorization or accounts with users ('nats-broker passwd' makes the hash of a password), or " +
			"listen on 127.0.0.1. If the network is all yours, nothing needs to be done.",
	},
	StorageFull: {
		name:    "storage-full",
		uuid:    "5a001fcb8bfb43f3aff01ecabc415abe",
		fields:  []string{FieldStoreDir, FieldFree, FieldNeed},
		subject: "The disk that streams are on is full",
		explain: "The disk of @NATS_STORE_DIR@ has @NATS_FREE@ bytes left. Messages for streams in files are refused, so " +
			"that what is stored stays whole; whoever asked for an acknowledgement is told. Reading, acknowledging, " +
			"deleting and purging go on, and so does storing once @NATS_NEED@ bytes are free.",
		remedy: "Make room: purge or delete streams ('nats stream report'), give them limits, remove what else is on " +
			"the disk, or make it larger. max_file_store in the configuration bounds all streams together.",
	},
	StorageFailed: {
		name:    "storage-failed",
		uuid:    "f3b8804b312043f28b12cdbe4172953f",
		fields:  []string{FieldStoreDir, FieldError},
		subject: "The disk that streams are on has failed",
		explain: "A write below @NATS_STORE_DIR@ failed, and so did another one to a new file: @NATS_ERROR@. Streams in " +
			"files take nothing any more. Of messages that were not acknowledged it is not known whether they are " +
			"stored; those that were acknowledged are.",
		remedy: "Look at the disk ('journalctl -k', smartctl) and at the file system, which may have become read-only. " +
			"Copy the folder before anything is repaired. When the disk works, restart the broker. " +
			"nats-broker-jetstream(7) says more.",
	},
	StorageStuck: {
		name:    "storage-stuck",
		uuid:    "5267ab0dd30e4dec94c637fdc038aa64",
		fields:  []string{FieldStoreDir},
		subject: "The disk that streams are on does not answer",
		explain: "A write below @NATS_STORE_DIR@ takes longer than any should. Publishers wait for their " +
			"acknowledgements; messages that are not stored are delivered as always.",
		remedy: "Look at the disk ('journalctl -k', 'iostat -x 1') and at what else uses it. A storage in a network may " +
			"have lost its server. A line tells when the disk answers again.",
	},
	StreamFailed: {
		name:    "stream-failed",
		uuid:    "10485f43df8349f3829bdd5f8eddb20b",
		fields:  []string{FieldAccount, FieldStream, FieldError},
		subject: "A stream takes no messages any more",
		explain: "Something of stream @NATS_STREAM@ of account @NATS_ACCOUNT@ could not be stored: @NATS_ERROR@. Until the " +
			"broker is restarted it refuses messages. What was under way when it happened got no answer.",
		remedy: "Look at the disk ('journalctl -k'), then restart the broker. A restart reads what is on the disk and goes " +
			"on from there.",
	},
	MessagesLost: {
		name:    "messages-lost",
		uuid:    "4e49c4104c864554b421f1aeeaa912cc",
		burst:   200,
		fields:  []string{FieldAccount, FieldStream, FieldCount, FieldReason},
		subject: "Messages that were stored cannot be read",
		explain: "@NATS_COUNT@ messages of stream @NATS_STREAM@ of account @NATS_ACCOUNT@ cannot be read: @NATS_REASON@. The " +
			"stream goes on without them; 'nats stream info' lists them as lost.",
		remedy: "Look at the disk ('journalctl -k', smartctl): it returns other bytes than were written. Restore the messages " +
			"from a backup, or have them published again. The files that they were in are kept.",
	},
	ControlRefused: {
		name:    "control-refused",
		uuid:    "64f5cb3e5578463d9228862e1f37342f",
		burst:   20,
		fields:  []string{FieldUID},
		subject: "Somebody who may not has tried to control the broker",
		explain: "User @NATS_UID@ spoke to the control socket and was refused. Only root, the user that the broker runs as, and " +
			"members of the group that owns the socket may speak there.",
		remedy: "Find out who it was ('getent passwd @NATS_UID@'). Who is to control the broker belongs into the socket's group. " +
			"The socket has mode 0660; if it has another one now, somebody has changed it.",
	},
	MessagesWatched: {
		name:    "messages-watched",
		uuid:    "535db6445da54d4cbf45fb76d3674f61",
		fields:  []string{FieldUID, FieldAccount, FieldSubject},
		subject: "Somebody looks at the messages of an account",
		explain: "User @NATS_UID@ began to look at what is published on @NATS_SUBJECT@ in account @NATS_ACCOUNT@ with " +
			"'nats-broker watch'. A line at the end says how many messages were shown.",
		remedy: "Nothing needs to be done if that is what was meant. 'control_watch: off' in the configuration takes the " +
			"possibility away, and ends those that look.",
	},
	BrokerPaused: {
		name:    "broker-paused",
		uuid:    "cb22e36ec1f94c8da8b8b2c6462f0eab",
		fields:  []string{FieldUID},
		subject: "The broker is paused",
		explain: "User @NATS_UID@ has paused the broker for maintenance. It lets no client in, and has asked those that are " +
			"connected to go to other servers; what else it does goes on. /healthz answers 503, 'nats-broker status' " +
			"and 'nats-broker health' say so.",
		remedy: "'nats-broker resume' lets clients in again. A restart does too.",
	},
	BrokerResumed: {
		name:    "broker-resumed",
		uuid:    "a040089d033f46e3b5e7f96a139415f3",
		fields:  []string{FieldUID},
		subject: "The broker lets clients in again",
		explain: "User @NATS_UID@ has ended the pause.",
		remedy:  "Nothing needs to be done.",
	},
}
