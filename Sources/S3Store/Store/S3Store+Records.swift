package import FoundationEssentials
import NIOCore
import NIOHTTP1
package import ObjectStore
import WireProtocol

extension S3Store {
    package func writeRecord(name: String, bytes: [UInt8]) async throws(StoreError) {
        let key = try recordKey(name)
        guard bytes.count <= limits.recordBytesMax else { throw StoreError(.tooLarge) }
        var request = S3Request(.PUT, key: key)
        request.headers.append(("content-type", "application/json"))
        _ = try await client.send(request, body: ByteBuffer(bytes: bytes))
    }

    package func readRecord(name: String) async throws(StoreError) -> StoredRecord? {
        let request = S3Request(.GET, key: try recordKey(name))
        let response: S3Response
        do {
            response = try await client.send(request)
        } catch {
            guard error.isNotFound() else { throw error }
            return nil
        }
        guard let modified = response.headers.value("last-modified").flatMap({ S3Time.date(header: $0) }) else {
            throw StoreError(.damaged, "The store does not report a record's date.")
        }
        return StoredRecord(bytes: response.body, modified: modified)
    }

    package func deleteRecord(name: String) async throws(StoreError) {
        try await delete(key: try recordKey(name))
    }

    /// Deletes an object of the gateways' own; a missing object is no error.
    func delete(key: String) async throws(StoreError) {
        do {
            _ = try await client.send(S3Request(.DELETE, key: key))
        } catch {
            guard error.isNotFound() else { throw error }
        }
    }

    package func recordNames(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage {
        try await names(in: recordFolder, prefix: prefix, after: after)
    }

    /// One page of the names in a folder of the gateways that begin with `prefix`.
    func names(in folder: String, prefix: String, after: String?) async throws(StoreError) -> RecordNamePage {
        var request = S3Request(.GET, key: nil)
        request.query = [("list-type", "2"), ("prefix", folder + prefix), ("encoding-type", "url")]
        if let after { request.query.append(("start-after", folder + after)) }
        let response = try await client.send(request)
        let page = S3XML.decode(S3Documents.Objects.self, from: response.body)
        guard let page else { throw StoreError(.damaged, "The store's list of records cannot be read.") }
        let isEncoded = page.encodingType == "url"
        let keys = (page.contents ?? []).compactMap { object in
            object.key.flatMap { isEncoded ? S3Documents.decoded($0) : $0 }
        }
        let ours = keys.filter { $0.utf8.starts(with: folder.utf8) }
        let all = ours.map { String($0.dropFirst(folder.count)) }
        // Skip the folder's own entry and foreign objects, which are not records.
        let names = all.filter { name in
            SessionRecord.isName(name) && after.map { $0.utf8.lexicographicallyPrecedes(name.utf8) } ?? true
        }
        guard S3Documents.isTrue(page.isTruncated) else { return RecordNamePage(names: names, next: nil) }
        guard let next = all.last, after.map({ $0.utf8.lexicographicallyPrecedes(next.utf8) }) ?? true else {
            throw StoreError(.damaged, "The store's list of records does not advance.")
        }
        return RecordNamePage(names: names, next: next)
    }

    package func currentTime() async throws(StoreError) -> Date {
        let response = try await client.send(S3Request(.HEAD, key: nil))
        guard let date = response.headers.value("date").flatMap({ S3Time.date(header: $0) }) else {
            throw StoreError(.damaged, "The store does not report the time.")
        }
        return date
    }

    private var recordFolder: String { "\(configuration.prefix)\(Self.ownFolder)/sessions/" }

    private func recordKey(_ name: String) throws(StoreError) -> String {
        guard SessionRecord.isName(name) else { throw StoreError(.keyUnsupported) }
        return recordFolder + name
    }
}
