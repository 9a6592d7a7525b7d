import NIOHTTP1
import ObjectStore
import TransferCommon
import WireProtocol

// A bucket that keeps versions keeps every deleted object. The gateway's own objects below `.sluice/` would fill it
// with versions that no program needs, so the gateway deletes their versions where it may.

extension S3Bucket {
    /// Deletes an object that belongs to the gateways and not to a device, with all its versions if the gateway may do
    /// so. A missing object is no error.
    func delete(key: String) async throws(StoreError) {
        if provider.deletesVersions {
            do {
                return try await deleteVersions(key: key)
            } catch {
                // A version may be retained for some time. Then only the present object is deleted.
                guard error.isRefusal else { throw error }
            }
        }
        try await deletePresent(key: key)
    }

    /// Deletes the object. If the bucket keeps versions, only the present object disappears, and its versions stay.
    func deletePresent(key: String) async throws(StoreError) {
        try await sendDeletion(S3Request(.DELETE, key: key))
    }

    /// Sends the deletion of an object or of one version. A missing one is no error.
    private func sendDeletion(_ request: S3Request) async throws(StoreError) {
        do {
            _ = try await client.send(request)
        } catch {
            guard error.isNotFound() else { throw error }
        }
    }

    /// Deletes all versions of an object and its delete markers.
    ///
    /// - Throws: an error if the store does not list the versions, or refuses to delete one of them.
    func deleteVersions(key: String) async throws(StoreError) {
        var marker: (key: String, id: String)?
        for _ in 0..<Self.versionPagesMax {
            let page = try await versions(of: key, after: marker)
            for version in page.versions where version.key.hasSameBytes(as: key) {
                var request = S3Request(.DELETE, key: key)
                request.query = [("versionId", version.id)]
                try await sendDeletion(request)
            }
            guard page.isTruncated, let next = page.nextKeyMarker, next.hasSameBytes(as: key) else { return }
            marker = (next, page.nextVersionIdMarker ?? "")
        }
    }

    /// Maximum number of pages of one object's versions that are deleted at a time.
    private static let versionPagesMax = 10

    private func versions(
        of key: String, after marker: (key: String, id: String)?
    ) async throws(StoreError) -> S3Documents.Versions {
        let request = S3Request.page(of: "versions", prefix: key, after: marker, idMarker: "version-id-marker")
        let response = try await client.send(request)
        guard let page = S3Documents.Versions(reading: response.body) else {
            throw StoreError(.damaged, "The store's list of versions cannot be read.")
        }
        return page
    }

    /// The rule of the bucket that removes unfinished uploads of keys with a prefix; `.unknown` after any failure,
    /// because no upload needs the answer.
    func uploadRule(prefix: String) async -> ProbeFindings.UploadRule {
        var request = S3Request(.GET, key: nil)
        request.query = [("lifecycle", "")]
        do {
            let response = try await client.send(request)
            guard let document = S3Documents.Lifecycle(reading: response.body) else { return .unknown }
            return Self.uploadRule(document.abortRules, prefix: prefix)
        } catch {
            let code = (error.cause as? S3Refusal)?.code
            return code == "NoSuchLifecycleConfiguration" ? .none : .unknown
        }
    }

    /// The rule with the shortest time, of the rules that apply to at least some of the keys. It counts if any rule
    /// applies to all keys, or if its time is shorter than that of the gateways; otherwise the result is `.none`.
    static func uploadRule(
        _ rules: [S3Documents.Lifecycle.AbortRule], prefix: String
    ) -> ProbeFindings.UploadRule {
        let fitting = rules.filter { rule in
            prefix.utf8.starts(with: rule.prefix.utf8) || rule.prefix.utf8.starts(with: prefix.utf8)
        }
        guard let days = fitting.map(\.days).min() else { return .none }
        let coversAll = fitting.contains { prefix.utf8.starts(with: $0.prefix.utf8) }
        return coversAll || days < ProbeFindings.expiryDays ? .days(days) : .none
    }
}
