package import FoundationEssentials
import Logging
import ObjectStore
package import TransferCommon

extension S3Store {
    /// Probes the store's behaviour with small objects below `.sluice/probe/`, and then removes the objects.
    ///
    /// The probe does not rely on documentation. A store counts as one that checks digests only if it refuses a request
    /// with a wrong digest. It counts as one that checks a condition only if it refuses a request whose condition is
    /// not fulfilled.
    /// - Returns: the provider's properties; the probed ones have the values that the probe observed.
    /// - Throws: errors that would make uploads fail.
    package func probe() async throws(StoreError) -> S3Provider {
        var generator = SystemRandomNumberGenerator()
        let session = SessionID.random(using: &generator)
        var probe: StoreProbe
        do {
            probe = try StoreProbe(folder: probes, session: session)
        } catch {
            throw StoreError.cryptographyFailed(error)
        }
        let failure: StoreError?
        do throws(StoreError) {
            try await probe.run()
            failure = probe.findings.objection
        } catch {
            failure = error
        }
        var findings = await removing(probe)
        if let failure { throw failure }
        // The answer to CreateMultipartUpload may already have named the time at which the bucket removes the upload.
        if findings.uploadRule == .unknown {
            findings.uploadRule = await bucket.uploadRule(prefix: configuration.prefix)
        }
        for warning in findings.warnings {
            bucket.logger.warning("The store has a limitation", metadata: ["store.limitation": "\(warning)"])
        }
        return findings.provider
    }

    /// - Returns: the findings of the probe, with the results of the deletions added.
    private func removing(_ probe: StoreProbe) async -> ProbeFindings {
        var findings = probe.findings
        if findings.keepsVersions {
            do {
                findings.provider.deletesVersions = try await probe.calls.repeating { () async throws(StoreError) in
                    try await bucket.deleteVersions(key: probe.key)
                }
                if findings.provider.deletesVersions { return findings }
            } catch {
                findings.note(error, of: .deleteVersions)
            }
        }
        do {
            try await probe.calls.repeating { () async throws(StoreError) in
                try await bucket.deletePresent(key: probe.key)
            }
        } catch {
            // The gateway may lack the right to delete. Then each probe leaves small objects behind, and everything
            // else works.
            findings.note(error, of: .deleteObject)
        }
        return findings
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
                guard error.reason == .uploadUnknown else { throw error }
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
