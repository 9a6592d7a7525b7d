import NIOCore
import ObjectStore
import TransferCommon
import WireProtocol

extension ConformanceCheck {
    /// Checks of whole objects: writing, looking up, reading, keys.
    static let objects: [ConformanceCheck] = [
        ConformanceCheck("an object comes back as it was put, whatever its size") { subject in
            for (index, byteCount) in [0, 1, 65_536, 1_000_001].enumerated() {
                let content = SampleContent(byteCount: byteCount, seed: UInt64(index + 1))
                let key = subject.key("round-trip-\(byteCount)")
                try await subject.put(content, key: key)
                try await subject.confirm(key, holds: content)
            }
        },
        ConformanceCheck("a summary has the metadata and the part's digest") { subject in
            let content = SampleContent(byteCount: 5000, seed: 11)
            let key = subject.key("summary")
            var metadata = subject.metadata()
            let stored = try await subject.store.putObject(
                key: key, body: content.body(), metadata: metadata, condition: .none)
            metadata.partDigest = try content.digest
            let summary = try require(try await subject.store.object(key: key), "a summary")
            if subject.has(.metadataForgotten) {
                try expect(summary.metadata == nil, "no metadata")
            } else {
                try expect(summary.metadata == metadata, "the metadata that was put, and the digest")
            }
            let evidence = subject.has(.partDigestForgotten) ? ContentEvidence.none : .wholeDigest(try content.digest)
            try expect(summary.evidence == evidence, "evidence \(evidence), not \(summary.evidence)")
            try expect(stored.evidence == evidence, "the answer has the same evidence")
        },
        ConformanceCheck("a summary says whether the store has checked the digest") { subject in
            let isChecked = !subject.has(.evidenceUnchecked)
            let small = subject.key("checked/whole")
            try await subject.put(SampleContent(byteCount: 5000, seed: 12), key: small)
            let whole = try require(try await subject.store.object(key: small), "a summary")
            try expect(whole.isVerified == isChecked, "of an object that was put at once: \(isChecked)")
            let reader = try require(try await subject.store.readObject(key: small), "a reader")
            try expect(reader.summary.isVerified == isChecked, "and of one that is read: \(isChecked)")

            let large = subject.key("checked/parts")
            let contents = subject.parts(count: 2, lastBytes: 5, seed: 13)
            let (upload, parts) = try await subject.begin(contents, key: large)
            _ = try await subject.store.completeUpload(
                key: large, upload: upload, parts: parts, size: UInt64(subject.partBytes + 5), condition: .none)
            let joined = try require(try await subject.store.object(key: large), "a summary")
            try expect(joined.isVerified == isChecked, "of an object of parts: \(isChecked)")
            let partBytes = joined.evidence == .none ? 0 : UInt64(subject.partBytes)
            try expect(joined.partBytes == partBytes, "the evidence depends on the part size of its creation")
            try expect(whole.partBytes == 0, "the evidence of an object that was put at once depends on none")
        },
        ConformanceCheck("a key without an object has no summary and no bytes") { subject in
            let key = subject.key("absent")
            try expect(try await subject.store.object(key: key) == nil, "no summary")
            try expect(try await subject.store.readObject(key: key) == nil, "no reader")
            let below = subject.key("absent/and/deeper")
            try expect(try await subject.store.object(key: below) == nil, "no summary in a folder that is not there")
        },
        ConformanceCheck("putting replaces what the key held") { subject in
            let key = subject.key("replaced")
            let (old, new) = (SampleContent(byteCount: 3000, seed: 21), SampleContent(byteCount: 2000, seed: 22))
            try await subject.put(old, key: key)
            let session = try await subject.put(new, key: key)
            try await subject.confirm(key, holds: new)
            if !subject.has(.metadataForgotten) {
                let summary = try await subject.store.object(key: key)
                try expect(summary?.metadata?.session == session, "the new object has its own metadata")
            }
        },
        ConformanceCheck("putting only if absent never replaces") { subject in
            let key = subject.key("put-if-absent")
            let (old, new) = (SampleContent(byteCount: 3000, seed: 31), SampleContent(byteCount: 2000, seed: 32))
            try await subject.put(old, key: key, condition: .ifAbsent)
            try await subject.confirm(key, holds: old)
            if subject.has(.putIgnoresIfAbsent) {
                try expect(!subject.store.limits.conditions.put.ifAbsent, "the limits say so")
                try await subject.put(new, key: key, condition: .ifAbsent)
                try await subject.confirm(key, holds: new)
            } else {
                try await expect(.keyTaken) { try await subject.put(new, key: key, condition: .ifAbsent) }
                try await subject.confirm(key, holds: old)
            }
        },
        ConformanceCheck("a conditional put replaces only the named object") { subject in
            let key = subject.key("put-if-match")
            let (old, new) = (SampleContent(byteCount: 3000, seed: 33), SampleContent(byteCount: 2000, seed: 34))
            try await subject.put(old, key: key)
            guard let etag = try await subject.store.object(key: key)?.etag, !etag.isEmpty else {
                return try expect(!subject.store.limits.conditions.put.ifMatch, "nothing to name an object by")
            }
            if subject.has(.putIgnoresIfMatch) {
                try expect(!subject.store.limits.conditions.put.ifMatch, "the limits say so")
                return
            }
            let latest = SampleContent(byteCount: 1000, seed: 35)
            try await subject.put(new, key: key, condition: .ifMatch(etag: etag))
            try await subject.confirm(key, holds: new)
            try await expect(.keyTaken) {
                try await subject.put(latest, key: key, condition: .ifMatch(etag: etag))
            }
            try await subject.confirm(key, holds: new)
            let gone = subject.key("put-if-match-gone")
            try await expect(.objectGone) {
                try await subject.put(latest, key: gone, condition: .ifMatch(etag: etag))
            }
            try expect(try await subject.store.object(key: gone) == nil, "nothing is there")
        },
        ConformanceCheck("a reader keeps the old object while the key is replaced") { subject in
            let key = subject.key("replaced-while-read")
            let (old, new) = (SampleContent(byteCount: 900_000, seed: 41), SampleContent(byteCount: 1000, seed: 42))
            try await subject.put(old, key: key)
            let reader = try require(try await subject.store.readObject(key: key), "a reader")
            var bytes: [UInt8] = []
            var isReplaced = false
            for try await buffer in reader.bytes {
                bytes.append(contentsOf: buffer.readableBytesView)
                if !isReplaced { try await subject.put(new, key: key) }
                isReplaced = true
            }
            try expect(bytes == old.bytes, "the old object to its end")
            try await subject.confirm(key, holds: new)
        },
        ConformanceCheck("keys are bytes, and every valid key works") { subject in
            // The first two names look alike but have different bytes, so they must be two keys.
            let names = [
                "caf\u{E9}", "cafe\u{301}", "a b", "a%20b", "a+b", "q?x=1&y#z", "-dash", ".hidden", "名前", "tab\there",
                "quote'\"", "back\\slash", "a=b;c", "deep/er/and/deeper/file.bin",
                String(repeating: "n", count: 200),
            ]
            for (index, name) in names.enumerated() {
                try await subject.put(SampleContent(byteCount: 100 + index, seed: 51), key: subject.key("keys/\(name)"))
            }
            for (index, name) in names.enumerated() {
                let content = SampleContent(byteCount: 100 + index, seed: 51)
                try await subject.confirm(subject.key("keys/\(name)"), holds: content)
            }
        },
        ConformanceCheck("a key can exist beside a key below it") { subject in
            let content = SampleContent(byteCount: 10, seed: 61)
            let (short, long) = (subject.key("nested"), subject.key("nested/inner"))
            let (other, below) = (subject.key("nested-2/inner"), subject.key("nested-2"))
            try await subject.put(content, key: short)
            try await subject.put(content, key: other)
            for key in [long, below] {
                if subject.has(.nestedKeysFail) {
                    try await expect(.outcomeUnknown) { try await subject.put(content, key: key) }
                } else if subject.has(.keysCannotNest) {
                    try await expect(.keyUnsupported) { try await subject.put(content, key: key) }
                    guard subject.has(.nestedUploadsRefusedLate) else {
                        try await expect(.keyUnsupported) { try await subject.begin([content], key: key) }
                        continue
                    }
                    let (upload, parts) = try await subject.begin([content], key: key)
                    try await expect(.keyUnsupported) {
                        try await subject.store.completeUpload(
                            key: key, upload: upload, parts: parts, size: 10, condition: .none)
                    }
                } else {
                    try await subject.put(content, key: key)
                    try await subject.confirm(key, holds: content)
                }
            }
            try await subject.confirm(short, holds: content)
            try await subject.confirm(other, holds: content)
        },
        ConformanceCheck("the gateways' own keys are refused") { subject in
            for key in [".sluice/sessions/x", ".sluice/x", ".sluice"] {
                try await expect(.keyUnsupported) {
                    try await subject.put(SampleContent(byteCount: 1, seed: 71), key: key)
                }
                try await expect(.keyUnsupported) {
                    try await subject.store.createUpload(key: key, metadata: subject.metadata())
                }
            }
        },
    ]

    /// Checks of faulty bodies of objects and parts.
    package static let bodies: [ConformanceCheck] = [
        ConformanceCheck("a body with another digest is refused and leaves the old object") { subject in
            let key = subject.key("wrong-digest")
            let (old, new) = (SampleContent(byteCount: 3000, seed: 101), SampleContent(byteCount: 3000, seed: 102))
            try await subject.put(old, key: key)
            if subject.has(.digestsUnchecked) {
                try expect(!subject.store.limits.checksPartDigests, "the limits say so")
                _ = try await subject.store.putObject(
                    key: key, body: new.body(offering: old), metadata: subject.metadata(), condition: .none)
                try await subject.confirm(key, holds: new)
            } else {
                try await expect(.digestMismatch) {
                    try await subject.store.putObject(
                        key: key, body: new.body(offering: old), metadata: subject.metadata(), condition: .none)
                }
                if subject.has(.refusedPutsDamageObjects) {
                    return try await expect(.unavailable) { try await subject.read(key) }
                }
                try await subject.confirm(key, holds: old)
            }
        },
        ConformanceCheck("a body that breaks leaves the old object") { subject in
            let key = subject.key("broken")
            let (old, new) = (SampleContent(byteCount: 3000, seed: 111), SampleContent(byteCount: 600_000, seed: 112))
            try await subject.put(old, key: key)
            for (body, reason) in try brokenBodies(of: new) {
                try await expect(reason) {
                    try await subject.store.putObject(
                        key: key, body: body, metadata: subject.metadata(), condition: .none)
                }
                try await subject.confirm(key, holds: old)
            }
            try await expect(.cancelled) {
                try await cancelled(new) { body in
                    try await subject.store.putObject(
                        key: key, body: body, metadata: subject.metadata(), condition: .none)
                }
            }
            try await subject.confirm(key, holds: old)
        },
        ConformanceCheck("a part whose body breaks leaves the old part") { subject in
            if subject.has(.partsCannotBeReplaced) { return }
            let key = subject.key("broken-part")
            let (old, new) = (SampleContent(byteCount: 3000, seed: 121), SampleContent(byteCount: 600_000, seed: 122))
            let (upload, parts) = try await subject.begin([old], key: key)
            let second = try require(PartNumber(2), "a part number")
            var bodies = try brokenBodies(of: new)
            if !subject.has(.digestsUnchecked) { bodies.append((try new.body(offering: old), .digestMismatch)) }
            for number in [parts[0].number, second] {
                for (body, reason) in bodies {
                    try await expect(reason) {
                        try await subject.store.uploadPart(key: key, upload: upload, number: number, body: body)
                    }
                }
                try await expect(.cancelled) {
                    try await cancelled(new) { body in
                        try await subject.store.uploadPart(key: key, upload: upload, number: number, body: body)
                    }
                }
            }
            let listed = try await subject.store.allParts(key: key, upload: upload)
            try expect(listed.map(\.number) == [parts[0].number], "only the old part is listed")
            try expect(listed.map(\.etag) == [parts[0].etag], "and it is the old one")
            try await subject.store.abortUpload(key: key, upload: upload)
        },
        ConformanceCheck("a body larger than a part may be is refused before it is read") { subject in
            let body = ObjectBody(
                byteCount: subject.store.limits.partBytesMax + 1,
                digest: try SampleContent(byteCount: 1, seed: 131).digest,
                bytes: BrokenSource(buffers: [], end: .failure))
            try await expect(.tooLarge) {
                try await subject.store.putObject(
                    key: subject.key("too-large"), body: body, metadata: subject.metadata(), condition: .none)
            }
        },
    ]

    private static func brokenBodies(of content: SampleContent) throws -> [(ObjectBody, StoreError.Reason)] {
        let byteCount = UInt64(content.bytes.count)
        return [
            (try content.half(then: .failure), .bodyFailed),
            (try content.half(then: .normal), .sizeMismatch),
            (try content.body(announcing: byteCount + 1), .sizeMismatch),
            (try content.body(announcing: byteCount - 1), .sizeMismatch),
            (try content.body(announcing: 0), .sizeMismatch),
        ]
    }
}
