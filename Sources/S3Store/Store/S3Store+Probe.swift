package import FoundationEssentials
import Logging
package import ObjectStore
import TransferCommon

extension S3Store {
    /// Probes the store's behaviour with small objects below `.sluice/probe/`, and then removes the objects.
    ///
    /// The probe does not rely on documentation. A store counts as one that checks digests only if it refuses a request
    /// with a wrong digest, and as one that checks a condition only if it refuses a request whose condition is not
    /// fulfilled.
    /// - Returns: the provider's properties; the probed ones have the values that the probe observed.
    /// - Throws: errors that would make every upload fail.
    package func probe() async throws(StoreError) -> S3Provider {
        var generator = SystemRandomNumberGenerator()
        let session = SessionID.random(using: &generator)
        let key = probes.path + String(describing: session)
        let probe: StoreProbe
        do {
            probe = try StoreProbe(bucket: bucket, session: session, key: key)
        } catch {
            throw StoreError(.unavailable, "The cryptographic library failed.", cause: error)
        }
        let result: Result<S3Provider, StoreError>
        do {
            result = .success(try await probe.run())
        } catch {
            result = .failure(error)
        }
        do {
            try await bucket.delete(key: key)
        } catch {
            // If the probe itself has failed, throw the probe's error instead of the error of the removal.
            guard case .success = result else { return try result.get() }
            // The gateway may lack the right to delete. Then each probe leaves small objects behind, and everything
            // else works.
            bucket.logger.warning(
                "The store's probe could not be removed", metadata: ["store.error": "\(error.shortDescription)"])
        }
        return try result.get()
    }

    /// Removes the uploads and objects of probes during which the gateway ended. Session records do not name them, so
    /// the cleaner would not find them otherwise.
    package func removeProbes(before limit: Date) async throws(StoreError) -> Int {
        let folder = probes
        var count = 0
        for (key, upload) in try await uploads.list(prefix: folder.path, choosing: { _ in .wanted })
        where upload.created.map({ $0 <= limit }) ?? false && key.utf8.starts(with: folder.path.utf8) {
            do {
                try await uploads.abort(at: key, upload: upload.upload)
            } catch {
                // Another gateway has removed the upload already.
                guard error.reason == .noSuchUpload else { throw error }
            }
            count += 1
        }
        var after: String?
        repeat {
            let page = try await folder.names(prefix: "", after: after)
            for record in page.records where record.modified.map({ $0 <= limit }) ?? false {
                try await bucket.delete(key: folder.path + record.name)
                count += 1
            }
            after = page.next
        } while after != nil
        return count
    }
}
