import Cryptography
import NIOCore
import ObjectStore
import TransferCommon
import WireProtocol

extension ConformanceCheck {
    /// Checks of uploads and their parts before completion.
    static let uploads: [ConformanceCheck] = [
        ConformanceCheck("an unknown upload id is refused, whatever its form") { subject in
            let key = subject.key("unknown-upload")
            let part = SampleContent(byteCount: 10, seed: 201)
            let (foreign, _) = try await subject.begin([part], key: subject.key("another-key"))
            let (gone, _) = try await subject.begin([part], key: key)
            try await subject.store.abortUpload(key: key, upload: gone)
            let one = try require(PartNumber(1), "a part number")
            let named = CompletedPart(number: one, size: 10, digest: try part.digest, etag: "\"x\"")
            let impossible = ["", "..", "../../x"]
            var unknown = [gone, foreign, "x", String(repeating: "0", count: 65)]
            if subject.has(.uploadsIgnoreTheirKey) {
                unknown.removeAll { $0 == foreign }
                _ = try await subject.store.listParts(key: key, upload: foreign, after: nil)
            }
            for upload in unknown + impossible {
                let fails = subject.has(.unknownUploadsFail) && !impossible.contains(upload)
                try await expect(fails ? .unavailable : .uploadUnknown) {
                    try await subject.store.uploadPart(key: key, upload: upload, number: one, body: part.body())
                }
                try await expect(.uploadUnknown) {
                    try await subject.store.listParts(key: key, upload: upload, after: nil)
                }
                try await expect(fails ? .outcomeUnknown : .uploadUnknown) {
                    try await subject.store.completeUpload(
                        key: key, upload: upload, parts: [named], size: 10, condition: .none)
                }
                try await expect(.uploadUnknown) { try await subject.store.abortUpload(key: key, upload: upload) }
            }
            try await subject.store.abortUpload(key: subject.key("another-key"), upload: foreign)
            try await subject.confirm(key, holds: nil)
        },
        ConformanceCheck("parts become no object before completion, nor after an abort") { subject in
            let key = subject.key("dropped")
            let (upload, _) = try await subject.begin(subject.parts(count: 2, lastBytes: 10, seed: 211), key: key)
            let (other, _) = try await subject.begin([SampleContent(byteCount: 5, seed: 212)], key: key)
            try await subject.confirm(key, holds: nil)
            try await subject.store.abortUpload(key: key, upload: upload)
            try await expect(.uploadUnknown) {
                try await subject.store.listParts(key: key, upload: upload, after: nil)
            }
            try await subject.confirm(key, holds: nil)
            try expect(
                try await subject.store.allParts(key: key, upload: other).count == 1, "the other upload is there")
            try await subject.store.abortUpload(key: key, upload: other)
        },
        ConformanceCheck("a part that is sent again replaces the earlier one") { subject in
            let key = subject.key("part-again")
            let (old, new) = (SampleContent(byteCount: 4000, seed: 221), SampleContent(byteCount: 3000, seed: 222))
            let (upload, parts) = try await subject.begin([old], key: key)
            if subject.has(.partsCannotBeReplaced) {
                try await expect(.unsupported) {
                    try await subject.upload(new, number: 1, key: key, upload: upload)
                }
                return try await subject.store.abortUpload(key: key, upload: upload)
            }
            let replacement = try await subject.upload(new, number: 1, key: key, upload: upload)
            try expect(replacement.etag != parts[0].etag, "another content has another ETag")
            let listed = try await subject.store.allParts(key: key, upload: upload)
            try expect(listed.map(\.etag) == [replacement.etag], "only the new part is listed")
            try await expect(.partsInvalid([parts[0].number])) {
                try await subject.store.completeUpload(
                    key: key, upload: upload, parts: parts, size: 4000, condition: .none)
            }
            try await subject.confirm(key, holds: nil)
            _ = try await subject.store.completeUpload(
                key: key, upload: upload, parts: [replacement], size: 3000, condition: .none)
            try await subject.confirm(key, holds: new)
        },
        ConformanceCheck("uploads are found by exactly their key") { subject in
            let key = subject.key("same")
            let part = SampleContent(byteCount: 10, seed: 231)
            var ids: [String: String] = [:]
            for other in [key + "-longer", key + "/inner", String(key.dropLast())] {
                ids[other] = try await subject.begin([part], key: other).upload
            }
            try expect(try await subject.store.uploads(key: key).isEmpty, "none yet")
            let metadata = subject.metadata()
            let (first, _) = try await subject.begin([part], key: key, metadata: metadata)
            let (second, _) = try await subject.begin([part], key: key)
            let found = try await subject.store.uploads(key: key)
            try expect(Set(found.map(\.upload)) == [first, second], "both uploads of the key and no other")
            if let session = found.first(where: { $0.upload == first })?.session {
                try expect(session == metadata.session, "a listed session is the right one")
            }
            for upload in [first, second] { try await subject.store.abortUpload(key: key, upload: upload) }
            for (other, upload) in ids { try await subject.store.abortUpload(key: other, upload: upload) }
            try expect(try await subject.store.uploads(key: key).isEmpty, "none is left")
        },
    ]

    /// Checks of completions.
    static let completions: [ConformanceCheck] = [
        ConformanceCheck("parts become the object in the order of their numbers") { subject in
            let key = subject.key("folder/completed")
            let contents = subject.parts(count: 3, lastBytes: 777, seed: 301)
            let metadata = subject.metadata()
            let upload = try await subject.store.createUpload(key: key, metadata: metadata)
            var parts: [CompletedPart] = []
            for number in [3, 1, 2] {
                parts.append(
                    try await subject.upload(contents[number - 1], number: UInt32(number), key: key, upload: upload))
            }
            parts.sort { $0.number < $1.number }
            let whole = contents.flatMap(\.bytes)
            let stored = try await subject.store.completeUpload(
                key: key, upload: upload, parts: parts, size: UInt64(whole.count), condition: .none)
            try expect(try await subject.read(key) == whole, "the parts, joined")
            let summary = try require(try await subject.store.object(key: key), "a summary")
            try expect(summary.size == UInt64(whole.count), "the size")
            if !subject.has(.metadataForgotten) {
                try expect(summary.metadata == metadata, "the metadata of its creation")
            }
            try check(summary.evidence, of: contents, on: subject)
            try expect(stored.evidence == summary.evidence, "the answer has the same evidence")
        },
        ConformanceCheck("a completed upload is gone") { subject in
            let key = subject.key("gone")
            let contents = subject.parts(count: 2, lastBytes: 5, seed: 311)
            let (upload, parts) = try await subject.begin(contents, key: key)
            let size = UInt64(subject.partBytes + 5)
            let first = try await subject.store.completeUpload(
                key: key, upload: upload, parts: parts, size: size, condition: .none)
            try await expect(.uploadUnknown) {
                try await subject.store.listParts(key: key, upload: upload, after: nil)
            }
            try expect(try await subject.store.uploads(key: key).isEmpty, "no upload of the key is left")
            do {
                // A store may remember the completion of an upload. If it does, it must answer a repeated completion in
                // the same way.
                let again = try await subject.store.completeUpload(
                    key: key, upload: upload, parts: parts, size: size, condition: .none)
                try expect(again.evidence == first.evidence, "the same evidence as the first time")
            } catch let error as StoreError {
                try expect(error.reason == .uploadUnknown, "uploadUnknown, not \(error.shortDescription)")
            }
            try expect(try await subject.read(key) == contents.flatMap(\.bytes), "the object is still there")
        },
        ConformanceCheck("a wrong list is not completed, and a right one can follow") {
            subject in
            let key = subject.key("named-wrongly")
            let contents = subject.parts(count: 3, lastBytes: 50, seed: 321)
            let (upload, parts) = try await subject.begin(contents, key: key)
            let size = UInt64(2 * subject.partBytes + 50)
            let two = parts[1].number
            var otherETag = parts
            otherETag[1].etag = parts[0].etag
            var otherSize = parts
            otherSize[1].size += 1
            if subject.has(.refusedCompletionEndsUpload) {
                try await expect(.uploadUnknown) {
                    try await subject.store.completeUpload(
                        key: key, upload: upload, parts: otherETag, size: size, condition: .none)
                }
                return try await subject.confirm(key, holds: nil)
            }
            for wrong in [[], [parts[0], parts[2]], otherETag, otherSize, [parts[1], parts[2]]] {
                let sum = wrong.reduce(0) { $0 + $1.size }
                try await expectInvalidParts {
                    try await subject.store.completeUpload(
                        key: key, upload: upload, parts: wrong, size: sum, condition: .none)
                }
            }
            try await expect(.partsInvalid([two])) {
                try await subject.store.completeUpload(
                    key: key, upload: upload, parts: otherETag, size: size, condition: .none)
            }
            try await expect(.sizeMismatch) {
                try await subject.store.completeUpload(
                    key: key, upload: upload, parts: parts, size: size + 1, condition: .none)
            }
            try await subject.confirm(key, holds: nil)
            _ = try await subject.store.completeUpload(
                key: key, upload: upload, parts: parts, size: size, condition: .none)
            try expect(try await subject.read(key) == contents.flatMap(\.bytes), "the right object")
        },
        ConformanceCheck("parts that are not named do not become the object") { subject in
            let key = subject.key("subset")
            let contents = subject.parts(count: 3, lastBytes: 50, seed: 331)
            let (upload, parts) = try await subject.begin(contents, key: key)
            let size = UInt64(2 * subject.partBytes)
            let complete = {
                try await subject.store.completeUpload(
                    key: key, upload: upload, parts: Array(parts.prefix(2)), size: size, condition: .none)
            }
            if subject.has(.refusedCompletionEndsUpload) {
                return try await expect(.uploadUnknown, from: complete)
            }
            if subject.has(.completeNeedsAllParts) {
                try await expectInvalidParts(from: complete)
                return try await subject.store.abortUpload(key: key, upload: upload)
            }
            _ = try await complete()
            try expect(try await subject.read(key) == contents.prefix(2).flatMap(\.bytes), "the named parts")
        },
        ConformanceCheck("completing only if absent never replaces, and the upload stays") { subject in
            let key = subject.key("complete-if-absent")
            let old = SampleContent(byteCount: 20, seed: 341)
            let contents = subject.parts(count: 2, lastBytes: 50, seed: 342)
            let (upload, parts) = try await subject.begin(contents, key: key)
            let size = UInt64(subject.partBytes + 50)
            try await subject.put(old, key: key)
            if subject.has(.completeIgnoresIfAbsent) {
                try expect(!subject.store.limits.conditions.complete.ifAbsent, "the limits say so")
                _ = try await subject.store.completeUpload(
                    key: key, upload: upload, parts: parts, size: size, condition: .ifAbsent)
                return try expect(try await subject.read(key) == contents.flatMap(\.bytes), "the new object")
            }
            try await expect(.keyTaken) {
                try await subject.store.completeUpload(
                    key: key, upload: upload, parts: parts, size: size, condition: .ifAbsent)
            }
            try await subject.confirm(key, holds: old)
            _ = try await subject.store.completeUpload(
                key: key, upload: upload, parts: parts, size: size, condition: .none)
            try expect(try await subject.read(key) == contents.flatMap(\.bytes), "the new object")
        },
        ConformanceCheck("a conditional completion replaces only the named object") { subject in
            let key = subject.key("complete-if-match")
            let (first, second) = (SampleContent(byteCount: 20, seed: 351), SampleContent(byteCount: 30, seed: 352))
            let contents = subject.parts(count: 2, lastBytes: 50, seed: 353)
            let size = UInt64(subject.partBytes + 50)
            try await subject.put(first, key: key)
            guard let stale = try await subject.store.object(key: key)?.etag, !stale.isEmpty else {
                return try expect(!subject.store.limits.conditions.complete.ifMatch, "nothing to name an object by")
            }
            if subject.has(.completeIgnoresIfMatch) {
                return try expect(!subject.store.limits.conditions.complete.ifMatch, "the limits say so")
            }
            try await subject.put(second, key: key)
            let (upload, parts) = try await subject.begin(contents, key: key)
            try await expect(.keyTaken) {
                try await subject.store.completeUpload(
                    key: key, upload: upload, parts: parts, size: size, condition: .ifMatch(etag: stale))
            }
            try await subject.confirm(key, holds: second)
            let etag = try require(try await subject.store.object(key: key)?.etag, "an ETag")
            _ = try await subject.store.completeUpload(
                key: key, upload: upload, parts: parts, size: size, condition: .ifMatch(etag: etag))
            try expect(try await subject.read(key) == contents.flatMap(\.bytes), "the new object")
        },
        ConformanceCheck("two uploads of one key are independent, and the last to be completed wins") { subject in
            let key = subject.key("two-uploads")
            let (left, right) = (
                subject.parts(count: 2, lastBytes: 1, seed: 351), subject.parts(count: 2, lastBytes: 2, seed: 352)
            )
            let (leftUpload, leftParts) = try await subject.begin(left, key: key)
            let (rightUpload, rightParts) = try await subject.begin(right, key: key)
            _ = try await subject.store.completeUpload(
                key: key, upload: rightUpload, parts: rightParts, size: UInt64(subject.partBytes + 2), condition: .none)
            try expect(try await subject.read(key) == right.flatMap(\.bytes), "the right upload's object")
            _ = try await subject.store.completeUpload(
                key: key, upload: leftUpload, parts: leftParts, size: UInt64(subject.partBytes + 1), condition: .none)
            try expect(try await subject.read(key) == left.flatMap(\.bytes), "the left upload's object")
        },
    ]

    private static func expectInvalidParts<Value>(from call: () async throws -> Value) async throws {
        do {
            let value = try await call()
            throw ConformanceFailure(description: "expected partsInvalid, got \(value)")
        } catch let error as StoreError {
            guard case .partsInvalid(let numbers) = error.reason, !numbers.isEmpty else { throw error }
        }
    }

    private static func check(
        _ evidence: ContentEvidence, of contents: [SampleContent], on subject: StoreUnderTest
    ) throws {
        if subject.has(.compositeEvidenceForgotten) { return try expect(evidence == .none, "no evidence") }
        switch evidence {
        case .root(let root):
            try expect(root == (try rootDigest(of: contents)), "the root digest of the parts")
        case .compositeMD5(let etag):
            var joined = try MD5Hasher()
            for content in contents {
                joined.update(ByteBuffer(bytes: try require(try content.md5(), "an MD5").bytes))
            }
            try expect(etag == "\(try joined.finalize())-\(contents.count)", "the ETag of the parts' MD5s")
        case .wholeDigest, .none:
            throw ConformanceFailure(description: "expected composite evidence, got \(evidence)")
        }
    }
}
