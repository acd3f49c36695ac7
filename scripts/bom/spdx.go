package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The parts of an SPDX 2.3 document that we fill
// (https://spdx.github.io/spdx-spec/v2.3/).
type spdxDocument struct {
	Version       string             `json:"spdxVersion"`
	DataLicense   string             `json:"dataLicense"`
	ID            string             `json:"SPDXID"`
	Name          string             `json:"name"`
	Namespace     string             `json:"documentNamespace"`
	Creation      spdxCreation       `json:"creationInfo"`
	Packages      []spdxPackage      `json:"packages"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	Name             string         `json:"name"`
	ID               string         `json:"SPDXID"`
	Version          string         `json:"versionInfo"`
	FileName         string         `json:"packageFileName,omitempty"`
	Download         string         `json:"downloadLocation"`
	FilesAnalyzed    bool           `json:"filesAnalyzed"`
	Checksums        []spdxChecksum `json:"checksums,omitempty"`
	LicenseConcluded string         `json:"licenseConcluded"`
	LicenseDeclared  string         `json:"licenseDeclared"`
	Copyright        string         `json:"copyrightText"`
	Purpose          string         `json:"primaryPackagePurpose"`
	Refs             []spdxRef      `json:"externalRefs,omitempty"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func writeSPDX(out io.Writer, name, version string, programs []program) error {
	epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH must be a number of seconds: %w", err)
	}
	var digests []string
	for _, p := range programs {
		digests = append(digests, p.sha256)
	}
	doc := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT",
		Name: name + "-" + version,
		Namespace: fmt.Sprintf("https://github.com/nats-broker/nats-broker/spdx/%s-%s-%.16s",
			name, version, strings.Join(digests, "")),
		Creation: spdxCreation{
			Created:  time.Unix(epoch, 0).UTC().Format(time.RFC3339),
			Creators: []string{"Tool: nats-broker-bom"},
		},
	}
	id := func(m module) string { return "SPDXRef-Module-" + notInID.ReplaceAllString(m.path+"-"+m.version, "-") }
	for _, p := range programs {
		pid := fmt.Sprintf("SPDXRef-Program-%s-%s-%s", name, p.goos, p.goarch)
		doc.Packages = append(doc.Packages, spdxPackage{
			Name: name, ID: pid, Version: version, FileName: p.file,
			Download:         "https://github.com/nats-broker/nats-broker",
			Checksums:        []spdxChecksum{{"SHA256", p.sha256}},
			LicenseConcluded: "Apache-2.0", LicenseDeclared: "Apache-2.0",
			Copyright: "NOASSERTION", Purpose: "APPLICATION",
			Refs: []spdxRef{{"PACKAGE-MANAGER", "purl", fmt.Sprintf("pkg:golang/github.com/nats-broker/%s@v%s?goos=%s&goarch=%s", name, version, p.goos, p.goarch)}},
		})
		doc.Relationships = append(doc.Relationships, spdxRelationship{"SPDXRef-DOCUMENT", "DESCRIBES", pid})
		for _, m := range p.modules {
			doc.Relationships = append(doc.Relationships, spdxRelationship{pid, "CONTAINS", id(m)})
		}
	}
	for _, m := range union(programs) {
		pkg := spdxPackage{
			Name: m.path, ID: id(m), Version: m.version,
			Download:         "https://proxy.golang.org/" + m.path + "/@v/" + m.version + ".zip",
			LicenseConcluded: m.licence.id, LicenseDeclared: m.licence.id,
			Copyright: "NOASSERTION", Purpose: "LIBRARY",
			Refs: []spdxRef{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + m.path + "@" + m.version}},
		}
		if m.path == "std" {
			pkg.Download = "https://go.dev/dl/go" + m.version + ".src.tar.gz"
		}
		if len(m.licence.copyrights) > 0 {
			pkg.Copyright = strings.Join(m.licence.copyrights, "\n")
		}
		if sum, ok := strings.CutPrefix(m.sum, "h1:"); ok {
			// The go command's own hash: SHA-256 over the list of the files' hashes.
			raw, err := base64.StdEncoding.DecodeString(sum)
			if err != nil {
				return fmt.Errorf("module %s: checksum %q: %w", m.path, m.sum, err)
			}
			pkg.Checksums = []spdxChecksum{{"SHA256", hex.EncodeToString(raw)}}
		}
		doc.Packages = append(doc.Packages, pkg)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}
