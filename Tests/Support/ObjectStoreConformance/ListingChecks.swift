import Cryptography
import FoundationEssentials
import ObjectStore
import TransferCommon
import WireProtocol

extension ConformanceCheck {
    /// Checks of part lists and of the clock that dates parts.
    package static let listings: [ConformanceCheck] = [
        ConformanceCheck("a list of parts has number, size and ETag of each") { subject in
            let key = subject.key("listed")
            let contents = subject.parts(count: 3, lastBytes: 42, seed: 401)
            let (upload, parts) = try await subject.begin(contents, key: key)
            let listed = try await subject.store.allParts(key: key, upload: upload)
            try expect(listed.map(\.number) == parts.map(\.number), "the numbers")
            try expect(listed.map(\.size) == parts.map(\.size), "the sizes")
            try expect(listed.map(\.etag) == parts.map(\.etag), "the ETags that were returned")
            for (listed, part) in zip(listed, parts) {
                try expect(listed.digest == nil || listed.digest == part.digest, "a listed digest is right")
            }
            try await subject.store.abortUpload(key: key, upload: upload)
        },
        ConformanceCheck("more parts than a page holds are all listed, once each and in order") { subject in
            let key = subject.key("pages")
            let count = min(1001, subject.store.limits.partsMax)
            let upload = try await subject.store.createUpload(key: key, metadata: subject.metadata())
            let part = SampleContent(byteCount: 3, seed: 411)
            // The highest part is uploaded first, and eight are uploaded at once. The pages of the listing must still
            // be complete and sorted.
            let isInOrder = subject.has(.partsWaitForEarlierOnes)
            let numbers = isInOrder ? Array(1...count) : Array(stride(from: count, through: 1, by: -1))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, number) in numbers.enumerated() {
                    if index >= 8 { try await group.next() }
                    group.addTask { _ = try await subject.upload(part, number: number, key: key, upload: upload) }
                }
                try await group.waitForAll()
            }
            let listed = try await subject.store.allParts(key: key, upload: upload)
            try expect(listed.map(\.number.value) == Array(1...count), "every number once")
            let middle = try require(PartNumber(count / 2), "a part number")
            let page = try await subject.store.listParts(key: key, upload: upload, after: middle)
            try expect(page.parts.first?.number.value == middle.value + 1, "the marker itself is not repeated")
            let last = try require(PartNumber(count), "a part number")
            let end = try await subject.store.listParts(key: key, upload: upload, after: last)
            try expect(end.parts.isEmpty && end.next == nil, "nothing after the last part")
            try await subject.store.abortUpload(key: key, upload: upload)
        },
        ConformanceCheck("an upload without parts has an empty list") { subject in
            let key = subject.key("no-parts")
            let upload = try await subject.store.createUpload(key: key, metadata: subject.metadata())
            let page = try await subject.store.listParts(key: key, upload: upload, after: nil)
            try expect(page == PartPage(parts: [], next: nil), "an empty last page")
            try await subject.store.abortUpload(key: key, upload: upload)
        },
        ConformanceCheck("parts, uploads and records are dated by the store's clock") { subject in
            let key = subject.key("dated")
            let part = SampleContent(byteCount: 3, seed: 421)
            let before = try require(try await subject.store.currentTime(), "the store's time")
            let (upload, _) = try await subject.begin([part], key: key)
            try await subject.put(part, key: key)
            let name = try SessionRecord.name(key: key, session: subject.metadata().session)
            try await subject.store.writeRecord(name: name, bytes: [1])
            let after = try require(try await subject.store.currentTime(), "the store's time")
            let created = try await subject.store.uploads(key: key).first?.created
            let dates = [
                try await subject.store.allParts(key: key, upload: upload).first?.modified,
                subject.has(.uploadsMisdated) ? before : created,
                try await subject.store.readRecord(name: name)?.modified,
                try await subject.store.recordNames(prefix: name, after: nil).records.first?.modified,
            ]
            // S3 reports dates in whole seconds, so a date may lie up to two seconds before or after the time of the
            // test.
            let span = before.addingTimeInterval(-2)...after.addingTimeInterval(2)
            for date in dates {
                let date = try require(date, "a date")
                try expect(span.contains(date), "\(date) lies within \(span)")
            }
            if subject.has(.uploadsMisdated) {
                try expect(created.map { !span.contains($0) } ?? false, "the upload's date is wrong")
            }
            try await subject.store.deleteRecord(name: name)
            try await subject.store.abortUpload(key: key, upload: upload)
        },
    ]

    /// Checks of session records.
    package static let records: [ConformanceCheck] = [
        ConformanceCheck("a record comes back as it was written, replaced and removed") { subject in
            let name = try recordName(subject, "round-trip", session: 1)
            try expect(try await subject.store.readRecord(name: name) == nil, "none at first")
            try await subject.store.writeRecord(name: name, bytes: Array("first".utf8))
            try expect(try await subject.store.readRecord(name: name)?.bytes == Array("first".utf8), "as written")
            let second = [UInt8](repeating: 7, count: subject.store.limits.recordBytesMax)
            try await subject.store.writeRecord(name: name, bytes: second)
            try expect(try await subject.store.readRecord(name: name)?.bytes == second, "as replaced")
            try await expect(.tooLarge) { try await subject.store.writeRecord(name: name, bytes: second + [0]) }
            try await subject.store.deleteRecord(name: name)
            try expect(try await subject.store.readRecord(name: name) == nil, "none after removal")
            try await subject.store.deleteRecord(name: name)
        },
        ConformanceCheck("records are listed by prefix, in order, from a marker on") { subject in
            let key = subject.key("records")
            let prefix = try SessionRecord.namePrefix(key: key)
            let names = try (1...5).map { try recordName(subject, "records", session: UInt64($0)) }
            for name in names.reversed() { try await subject.store.writeRecord(name: name, bytes: [1]) }
            let other = try recordName(subject, "other-records", session: 1)
            try await subject.store.writeRecord(name: other, bytes: [1])
            try expect(try await subject.store.recordNames(prefix: prefix, after: nil).names == names, "the key's five")
            let rest = try await subject.store.recordNames(prefix: prefix, after: names[2])
            try expect(rest.names == Array(names[3...]), "those after the marker")
            try expect(rest.records.allSatisfy { $0.size == 1 }, "the sizes")
            try expect(rest.next == nil, "no further page")
            for name in names + [other] { try await subject.store.deleteRecord(name: name) }
        },
        ConformanceCheck("an invalid name of a record is refused") { subject in
            for name in ["", "..", "a/b", ".hidden", "a b", "é", String(repeating: "a", count: 201)] {
                try await expect(.keyUnsupported) { try await subject.store.writeRecord(name: name, bytes: []) }
                try await expect(.keyUnsupported) { try await subject.store.readRecord(name: name) }
                try await expect(.keyUnsupported) { try await subject.store.deleteRecord(name: name) }
            }
        },
    ]

    private static func recordName(_ subject: StoreUnderTest, _ key: String, session: UInt64) throws -> String {
        try SessionRecord.name(key: subject.key(key), session: SessionID(high: 0, low: session))
    }
}

/// The root digest that an agent computes from a file's parts.
func rootDigest(of contents: [SampleContent]) throws -> SHA256Digest {
    try RootDigest.of(try contents.map { try $0.digest })
}
