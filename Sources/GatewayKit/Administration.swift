import Logging
import ObjectStore
package import SecureChannel
import TransferCore

extension GatewayHome {
    /// Adds a device to the list; a gateway that runs takes note within seconds.
    package func addDevice(name: String, fingerprint: Fingerprint, prefix: String) throws {
        var list = try devices()
        try list.add(AuthorisedDevice(name: name, fingerprint: fingerprint.digest, prefix: prefix))
        try write(list)
    }
}

/// What an operator may see and do of a store's unfinished uploads, with or without a gateway running on it.
package struct UploadAdministration: Sendable {
    private let location: String
    private let logger = Logger(label: "sluice-gateway") { _ in SwiftLogNoOpLogHandler() }

    package init(location: String) {
        self.location = location
    }

    /// One line an upload: session, age, parts, bytes stored, device, key.
    package func list(_ print: @Sendable (String) -> Void) async throws {
        let cleaner = UploadCleaner(store: try await SiteStore.open(location, logger: logger), logger: logger)
        var count = 0
        for try await entry in cleaner.unfinished() {
            count += 1
            switch entry {
            case .upload(let upload, let age):
                print(
                    "\(upload.sessionID)  \(Self.text(age))  \(upload.partCount) parts  \(upload.storedBytes) B  "
                        + "\(upload.device)  \(upload.key)")
            case .unreadable(let name):
                print("the record \(name) cannot be read")
            case .failed(let record, let error):
                print("\(record.sessionID)  \(record.device)  \(record.key): \(error)")
            }
        }
        print(count == 0 ? "No unfinished uploads." : "\(count) unfinished.")
    }

    /// Removes uploads without a new part for `age`.
    package func clean(olderThan age: Duration, _ print: @Sendable (String) -> Void) async throws {
        let cleaner = UploadCleaner(store: try await SiteStore.open(location, logger: logger), logger: logger)
        let report = try await cleaner.clean(olderThan: age)
        for upload in report.removed { print("removed \(upload.sessionID)  \(upload.device)  \(upload.key)") }
        for failure in report.failed { print("kept \(failure.record.sessionID): \(failure.error)") }
        for name in report.unreadable { print("the record \(name) cannot be read") }
        print("\(report.removed.count) removed, \(report.keptCount + report.failed.count) kept.")
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
