import NIOHTTP1
import ObjectStore
import TransferCommon
import WireProtocol

// A bucket that keeps versions keeps every deleted object. The gateway's own objects below `.sluice/` would fill the
// bucket with versions that no program needs, so the gateway deletes their versions where it may.

extension S3Bucket {
    /// Deletes an object that belongs to the gateways and not to a device, with all its versions if the gateway may do
    /// so. A missing object is no error.
    func delete(key: String) async throws(StoreError) {
        guard provider.deletesVersions else { return try await deletePresent(key: key) }
        do {
            if try await deleteVersions(key: key) { return }
        } catch {
            // A retention (Object Lock) may protect a version from deletion. Then only delete the present object.
            guard error.isRefusal else { throw error }
        }
        // Do not delete a missing object: where a bucket keeps versions, that would add a delete marker.
        if try await head(at: key) != nil { try await deletePresent(key: key) }
    }

    /// Deletes the object. If the bucket keeps versions, only the present object disappears, and its versions stay.
    func deletePresent(key: String) async throws(StoreError) {
        _ = try await sendDeletion(S3Request(.DELETE, key: key))
    }

    /// - Returns: the version that the store names in its answer; `nil` if it names none, or if the object is missing.
    private func sendDeletion(_ request: S3Request) async throws(StoreError) -> String? {
        do {
            return try await client.send(request).headers.value("x-amz-version-id")
        } catch {
            guard error.isNotFound() else { throw error }
            return nil
        }
    }

    /// Deletes all versions of an object and its delete markers. The success of a request does not show that a version
    /// is gone. A store that does not know the parameter `versionId` deletes the present object instead, which adds a
    /// delete marker. So this method compares the version that the answer names, and lists the versions again.
    ///
    /// - Returns: `true` if the store listed versions at first and now lists none; `false` if it listed none from the
    ///   beginning, or if it did not delete a version that a request named.
    /// - Throws: an error if the store does not list the versions, or refuses to delete one of them.
    func deleteVersions(key: String) async throws(StoreError) -> Bool {
        var deleted: Set<String> = []
        for _ in 0..<Self.versionPagesMax {
            // Each page is the first one, because the versions of the page before are gone.
            let listed = try await versions(of: key).filter { $0.key.hasSameBytes(as: key) }
            if listed.isEmpty { return !deleted.isEmpty }
            for version in listed {
                guard deleted.insert(version.id).inserted else { return false }
                var request = S3Request(.DELETE, key: key)
                request.query = [("versionId", version.id)]
                guard try await sendDeletion(request) ?? version.id == version.id else { return false }
            }
        }
        return false
    }

    private static let versionPagesMax = 10

    /// Lists only the first page, on which the versions of the key itself come first.
    private func versions(of key: String) async throws(StoreError) -> [S3Documents.Versions.Version] {
        let request = S3Request.page(of: "versions", prefix: key, after: nil, idMarker: "version-id-marker")
        let response = try await client.send(request)
        guard let page = S3Documents.Versions(reading: response.body) else {
            throw StoreError(.damaged, "The store's list of versions cannot be read.")
        }
        return page.versions
    }

    /// The bucket's rule for removing unfinished uploads of keys with a prefix. Any failure gives `.unknown` and no
    /// error, because uploads work without the answer.
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

    /// How soon the rules remove unfinished uploads of keys that begin with `prefix`: the shortest time of all rules
    /// that apply to at least some of these keys.
    ///
    /// - Returns: `.days` if a rule applies to all these keys, or if the time is shorter than the time after which
    ///   gateways remove uploads; otherwise `.none`.
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
