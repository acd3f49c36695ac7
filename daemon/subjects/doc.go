// Package subjects finds stored messages by their subjects: filters, the table of a stream's
// subjects, and sorted runs of them on disk. It is pure: no i/o, no clock.
package subjects
