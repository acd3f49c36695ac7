// Package memlog is a stream's log in memory: the storage of memory streams, and what logs in files are compared with.
package memlog
