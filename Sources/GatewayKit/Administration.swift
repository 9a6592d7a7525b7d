import FoundationEssentials
import Logging
import ObjectStore
package import SecureChannel
import TransferCore
import WireProtocol

extension GatewayHome {
    /// Adds a device to the list; a gateway that runs takes note within seconds.
    package func addDevice(name: String, fingerprint: Fingerprint, prefix: String) throws {
        try withListsLocked {
            var list = try devices()
            try list.add(AuthorisedDevice(name: name, fingerprint: fingerprint.digest, prefix: prefix))
            try write(list)
        }
    }

    /// Takes a device off the list, its invitation too; a gateway that runs ends its connections within seconds.
    package func revokeDevice(name: String) throws {
        try withListsLocked {
            var (list, invitations) = (try devices(), try invitations())
            let (wasListed, wasInvited) = (list.remove(name: name), invitations.remove(name: name))
            guard wasListed || wasInvited else {
                throw DeviceListError("there is no device \(name); sluice-gateway device list shows them")
            }
            if wasInvited { try write(invitations) }
            if wasListed { try write(list) }
        }
    }

    /// Makes an invitation (specification §5.2); one that waits for the same name is void from here on.
    ///
    /// - Parameters:
    ///   - gateway: `HOST:PORT`, as the device will reach it.
    ///   - lifetime: how long the code is good, if nobody uses it.
    /// - Returns: the code, a secret.
    package func inviteDevice(name: String, prefix: String, gateway: String, lifetime: Duration) throws -> String {
        let secret = try InvitationSecret.random()
        let code = try InvitationCode(gateway: gateway, pin: identity().fingerprint, secret: secret).text()
        let digest = try secret.digest()
        let now = Date()
        try withListsLocked {
            var (list, invitations) = (try devices(), try invitations())
            // What the device will be refused for then is better said now; the key stands for any.
            try list.add(AuthorisedDevice(name: name, fingerprint: digest, prefix: prefix))
            invitations.removeExpired(at: now)
            let expires = now.addingTimeInterval(Double(lifetime.components.seconds))
            invitations.add(.init(name: name, prefix: prefix, secretDigest: digest, expires: expires))
            try write(invitations)
        }
        return code
    }

    /// The devices as their file has them, and who is invited.
    package func deviceLines() throws -> String {
        let now = Date()
        let invited = try invitations().invitations.filter { $0.expires > now }.map { invitation in
            let prefix = invitation.prefix.isEmpty ? "" : "  prefix=\(invitation.prefix)"
            return "# invited until \(invitation.expires.formatted(.iso8601)): \(invitation.name)\(prefix)\n"
        }
        return try devices().text + invited.joined()
    }
}

/// What an operator may see and do of a store's unfinished uploads, with or without a gateway running on it.
package struct UploadAdministration: Sendable {
    private let site: SiteStore
    private let logger = Logger(label: "sluice-gateway") { _ in SwiftLogNoOpLogHandler() }

    package init(site: SiteStore) {
        self.site = site
    }

    /// Reads an object back and compares it with what the store has kept of it.
    ///
    /// - Parameter key: whole, prefix included.
    /// - Returns: the exit code: 0 whole, 1 damaged or unproven, 66 missing.
    package func verify(key: String, _ print: @Sendable (String) -> Void) async throws -> Int32 {
        let store = try await site.open(logger: logger)
        let (verdict, bytes, digest) = try await ObjectVerification(store: store).verify(key: key)
        await SiteStore.close(store)
        if let digest { print("\(key): \(bytes) bytes, SHA-256 \(digest)") }
        switch verdict {
        case .missing: print("\(key): there is no such object")
        case .whole(let evidence): print("whole: its bytes give the \(evidence)")
        case .damaged(let evidence, let found): print("DAMAGED: the store has \(evidence), the bytes give \(found)")
        case .unproven: print("unproven: the store keeps nothing to compare with; compare the SHA-256 with the file's")
        }
        switch verdict {
        case .whole: return 0
        case .missing: return 66
        case .damaged, .unproven: return 1
        }
    }

    /// The store, for what only lists and removes.
    private func openUntried() async throws -> any ObjectStore {
        try await site.open(triesOut: false, logger: logger)
    }

    /// One line an upload: session, age, parts, bytes stored, device, key.
    package func list(_ print: @Sendable (String) -> Void) async throws {
        let store = try await openUntried()
        let cleaner = UploadCleaner(store: store, logger: logger)
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
        await SiteStore.close(store)
    }

    /// Removes uploads without a new part for `age`.
    package func clean(olderThan age: Duration, _ print: @Sendable (String) -> Void) async throws {
        let store = try await openUntried()
        let report = try await UploadCleaner(store: store, logger: logger).clean(olderThan: age)
        await SiteStore.close(store)
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
