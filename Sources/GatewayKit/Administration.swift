import Logging
import ObjectStore
import TransferCommon

/// The operator's commands on a store: verify an object, and list or remove unfinished uploads. They open the store
/// themselves, so they work whether or not a gateway is running.
package struct UploadAdministration: Sendable {
    private let site: SiteStore
    private let logger = Logger.silent

    package init(site: SiteStore) {
        self.site = site
    }

    /// Reads an object back and compares its bytes with the evidence (checksum or ETag) that the store keeps of it.
    ///
    /// - Parameter key: the complete key, including the device's prefix.
    /// - Returns: the exit code: 0 if the bytes match the evidence, 1 if they do not match or the store keeps no
    ///   evidence, 66 if there is no object.
    package func verify(key: String, _ print: @Sendable (String) -> Void) async throws -> Int32 {
        let store = try await site.open(logger: logger)
        let (verdict, bytes, digest) = try await ObjectVerification(store: store).verify(key: key)
        await SiteStore.close(store)
        if let digest { print("\(key): \(bytes) bytes, SHA-256 \(digest)") }
        switch verdict {
        case .missing: print("\(key): there is no such object")
        case .whole(let evidence): print("whole: its bytes give the \(evidence)")
        case .damaged(let evidence, let found): print("DAMAGED: the store has \(evidence), the bytes give \(found)")
        case .unproven: print("unproven: the store keeps no evidence; compare the SHA-256 with that of the file")
        }
        switch verdict {
        case .whole: return 0
        case .missing: return 66
        case .damaged, .unproven: return 1
        }
    }

    /// Opens the store without the probe that writes to it: listing and removing uploads do not need the probe.
    private func openUntried() async throws -> any ObjectStore {
        try await site.open(triesOut: false, logger: logger)
    }

    /// Prints one line for each unfinished upload: session, age, number of parts, bytes stored, device, key.
    package func list(_ print: @Sendable (String) -> Void) async throws {
        let store = try await openUntried()
        let cleaner = UploadCleaner(store: store, logger: logger)
        var (count, bytes, oldest) = (0, UInt64(0), Duration.zero)
        for try await entry in cleaner.unfinished() {
            count += 1
            switch entry {
            case .upload(let upload, let age):
                bytes = bytes.addingReportingOverflow(upload.storedBytes).partialValue
                oldest = max(oldest, age ?? .zero)
                print(
                    "\(upload.session)  \(age.map(Self.text) ?? "age unknown")  \(upload.partCount) parts  "
                        + "\(upload.storedBytes) B  \(upload.device)  \(upload.key)"
                        + (upload.isUndecided ? "  (perhaps with an upload of another program; not removed)" : ""))
            case .unreadable(let name):
                print("the record \(name) cannot be read")
            case .failed(let record, let error):
                print("\(record.session)  \(record.device)  \(record.key): \(error)")
            }
        }
        print(
            count == 0
                ? "No unfinished uploads." : "\(count) unfinished, \(bytes) B stored, the oldest \(Self.text(oldest)).")
        await SiteStore.close(store)
    }

    /// Removes unfinished uploads that have received no part for `age`.
    package func clean(olderThan age: Duration, _ print: @Sendable (String) -> Void) async throws {
        let store = try await openUntried()
        let report = try await UploadCleaner(store: store, logger: logger).clean(olderThan: age) { event in
            switch event {
            case .removed(let upload): print("removed \(upload.session)  \(upload.device)  \(upload.key)")
            case .failed(let record, let error): print("kept \(record.session): \(error)")
            case .unreadable(let name): print("the record \(name) cannot be read")
            }
        }
        await SiteStore.close(store)
        if report.probeCount > 0 { print("removed \(report.probeCount) leftovers of interrupted start-up tests") }
        print(
            "\(report.removedCount) removed (\(report.removedBytes) B), "
                + "\(report.keptCount + report.failedCount) kept.")
    }

    private static func text(_ age: Duration) -> String {
        let seconds = age.components.seconds
        switch seconds {
        case ..<120: return "\(seconds)s"
        case ..<7_200: return "\(seconds / 60)min"
        case ..<172_800: return "\(seconds / 3_600)h"
        default: return "\(seconds / 86_400)d"
        }
    }
}
