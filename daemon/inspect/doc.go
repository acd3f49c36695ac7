// Package inspect looks at a store that no broker uses: what is in it, what is damaged, what is lost and where. It repairs what it
// is told to, and keeps the original.
//
// It reads by the code that a broker reads with (packages store, journal, segment), through a file system on which nothing can
// be changed, so that what it says is what a start would find. A store may come from anywhere: what it holds is
// checked before it is believed.
package inspect
