package import FoundationEssentials
import Logging
package import ObjectStore
import TransferCommon

extension S3Store {
    /// Probes the store's behaviour with an object of one byte below `.sluice/probe/`, and then removes the object.
    ///
    /// The probe does not rely on documentation: a store counts as checking digests and conditions only if it was
    /// seen to refuse a wrong request.
    /// - Returns: the provider's properties, with observed ones in place of assumed ones.
    /// - Throws: errors that prevent any upload.
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
            // If the probe itself has failed, too, throw its error instead of this one.
            guard case .success = result else { return try result.get() }
            // Without the right to delete, each probe leaves one byte behind. Everything else works.
            logger.warning(
                "The store's probe could not be removed", metadata: ["store.error": "\(error.shortDescription)"])
        }
        return try result.get()
    }

    /// Removes the uploads and objects of probes whose gateway died. No session record names them.
    package func removeProbes(before limit: Date) async throws(StoreError) -> Int {
        let folder = probes
        var count = 0
        for (key, upload) in try await uploads.list(prefix: folder.path, choosing: { _ in .wanted })
        where upload.created <= limit && key.utf8.starts(with: folder.path.utf8) {
            do {
                try await uploads.abort(at: key, upload: upload.upload)
            } catch {
                // The upload is gone, which is the goal, even if another gateway removed it.
                guard error.reason == .noSuchUpload else { throw error }
            }
            count += 1
        }
        var after: String?
        repeat {
            let page = try await folder.names(prefix: "", after: after)
            for name in page.names {
                guard let modified = try await bucket.head(at: folder.path + name)?.value("last-modified"),
                    let date = S3Time.date(header: modified), date <= limit
                else { continue }
                try await bucket.delete(key: folder.path + name)
                count += 1
            }
            after = page.next
        } while after != nil
        return count
    }
}
