import CommandSupport
import Cryptography
import FoundationEssentials
import GatewayKit
import TransferCore
import WireProtocol

// The objects of the commands for devices.

/// A device on the list.
enum DeviceFields: String, JSONFields {
    case device, identification, fingerprint, prefix
    case connectionsMax = "connections_max"
    case sessionsMax = "sessions_max"
    case budget

    static let event = "device"
    static let meaning = "A device on the list."

    static let key = "key"
    static let certificate = "certificate"
    static let revoked = "revoked"

    var declaration: JSONField {
        switch self {
        case .device: .always(.string, "the device's name")
        case .identification:
            .always(
                .word([Self.key, Self.certificate, Self.revoked]),
                "`key`; `certificate` for a name that an authority vouches for; `revoked` if certificates with this "
                    + "name are refused")
        case .fingerprint: .only("a key identifies the device", .string, "the fingerprint of its key")
        case .prefix: .prefix
        case .connectionsMax: .connectionsMax
        case .sessionsMax: .sessionsMax
        case .budget: .budget
        }
    }
}

/// An open invitation.
enum InvitationFields: String, JSONFields {
    case device, expires, prefix
    case connectionsMax = "connections_max"
    case sessionsMax = "sessions_max"
    case budget, gateway, code, replaced

    static let event = "invitation"
    static let meaning = "An open invitation."

    var declaration: JSONField {
        let made = "the command has made the invitation"
        return switch self {
        case .device: .always(.string, "the name that the device will have")
        case .expires: .only("the command lists invitations", .time, "until when the code is valid")
        case .prefix: .prefix
        case .connectionsMax: .connectionsMax
        case .sessionsMax: .sessionsMax
        case .budget: .budget
        case .gateway: .only(made, .string, "where the device reaches the gateway")
        case .code: .only(made, .string, "the code for `sluice-agent init --invite`; it contains a secret")
        case .replaced:
            .only(
                "the command has replaced an open invitation for the name", .time,
                "until when the replaced code would have been valid; it no longer is")
        }
    }
}

/// What a revocation has done.
enum RevocationFields: String, JSONFields {
    case device, revoked, invitation

    static let event = "revoked"
    static let meaning = "A device was taken off the list, or its invitation was removed."

    var declaration: JSONField {
        switch self {
        case .device: .always(.string, "the device's name")
        case .revoked: .always(.boolean, "whether the gateways now refuse keys and certificates with this name")
        case .invitation: .always(.boolean, "whether an invitation for the name was removed")
        }
    }
}

/// What a device reported last.
enum ReportFields: String, JSONFields {
    case device, time, state
    case pendingFiles = "pending_files"
    case pendingBytes = "pending_bytes"
    case oldest = "oldest_seconds"
    case quarantinedFiles = "quarantined_files"
    case freeBytes = "free_bytes"
    case reason

    static let event = "report"
    static let meaning = "What a device told this gateway about itself last. Nothing in it is proved."

    static let unknown = "unknown"

    var declaration: JSONField {
        switch self {
        case .device: .always(.string, "the device's name")
        case .time: .always(.time, "when the report arrived, by the gateway's clock")
        case .state:
            .always(
                .word(["idle", "sending", "waiting", "paused", "needs_person", Self.unknown]),
                "what the device does; `unknown` for a state that this gateway does not know")
        case .pendingFiles: .always(.integer, "files that are not stored yet")
        case .pendingBytes: .always(.integer, "their bytes")
        case .oldest: .always(.seconds, "how long the oldest of them has waited")
        case .quarantinedFiles: .always(.integer, "files that the device has given up")
        case .freeBytes: .only("the device knows it", .integer, "free bytes of the device's disk")
        case .reason: .only("the device gave one", .string, "why it is in this state, for people")
        }
    }
}

extension JSONField {
    fileprivate static let prefix = JSONField.only(
        "the device is not revoked", .string, "with what its keys begin; empty if it may write any key")
    fileprivate static let connectionsMax = JSONField.only(
        "it has a limit of its own", .integer, "connections at a time")
    fileprivate static let sessionsMax = JSONField.only("it has a limit of its own", .integer, "sessions at a time")
    fileprivate static let budget = JSONField.only(
        "it has a limit of its own", .integer, "bytes of memory for its parts under way")
}

extension JSONObject<DeviceFields> {
    init(name: String, _ identification: String, fingerprint: String? = nil, _ options: DeviceOptions?) {
        self.init([
            .device: .string(name), .identification: .string(identification),
            .fingerprint: fingerprint.map { .string($0) }, .prefix: options.map { .string($0.prefix) },
            .connectionsMax: options?.limits.connectionsMax.map { .count($0) },
            .sessionsMax: options?.limits.sessionsMax.map { .count($0) },
            .budget: options?.limits.budgetBytes.map { .count($0) },
        ])
    }

    init(_ device: AuthorisedDevice) {
        self.init(
            name: device.name, DeviceFields.key, fingerprint: "\(Fingerprint(device.fingerprint))",
            DeviceOptions(prefix: device.prefix, limits: device.limits))
    }

    init(_ rule: CertificateRule) {
        let identification = rule.options == nil ? DeviceFields.revoked : DeviceFields.certificate
        self.init(name: rule.name, identification, rule.options)
    }
}

extension JSONObject<InvitationFields> {
    private init(name: String, _ options: DeviceOptions) {
        self.init([
            .device: .string(name), .prefix: .string(options.prefix),
            .connectionsMax: options.limits.connectionsMax.map { .count($0) },
            .sessionsMax: options.limits.sessionsMax.map { .count($0) },
            .budget: options.limits.budgetBytes.map { .count($0) },
        ])
    }

    init(_ invitation: InvitationList.Invitation) {
        self.init(name: invitation.name, invitation.options)
        self[.expires] = .time(invitation.expires)
    }

    /// An invitation that was just made.
    init(name: String, _ options: DeviceOptions, gateway: String, _ made: MadeInvitation) {
        self.init(name: name, options)
        self[.gateway] = .string(gateway)
        self[.code] = .string(made.code)
        self[.replaced] = made.replaced.map { .time($0) }
    }
}

extension JSONObject<RevocationFields> {
    init(name: String, _ done: DeviceRevocation) {
        self.init([
            .device: .string(name), .revoked: .boolean(done.isRevoked), .invitation: .boolean(done.wasInvited),
        ])
    }
}

extension JSONObject<ReportFields> {
    init(_ kept: DeviceReport) {
        let report = kept.report
        self.init([
            .device: .string(kept.device), .time: .time(milliseconds: kept.arrivedMilliseconds),
            .state: .string(Self.word(report.status)), .pendingFiles: .count(report.pendingItems),
            .pendingBytes: .count(report.pendingBytes), .oldest: .seconds(.seconds(Int64(report.oldestSeconds))),
            .quarantinedFiles: .count(report.quarantinedItems),
            .freeBytes: report.freeBytes.map { .count($0) },
            .reason: report.reason.isEmpty ? nil : .string(report.reason),
        ])
    }

    private static func word(_ status: AgentStatus) -> String {
        switch status {
        case .idle: "idle"
        case .sending: "sending"
        case .waiting: "waiting"
        case .paused: "paused"
        case .needsPerson: "needs_person"
        default: ReportFields.unknown
        }
    }
}

extension GatewayHome {
    /// Prints the devices, the open invitations and the last reports as lines of JSON.
    ///
    /// - Throws: an error also if only the invitations cannot be read. All else is printed before.
    func deviceObjects(_ print: (String) -> Void) throws {
        let list = try devices()
        for device in list.devices { print(JSONObject(device).line) }
        for rule in list.certificateRules { print(JSONObject(rule).line) }
        var failure: GatewayHomeError?
        do throws(GatewayHomeError) {
            let now = Date()
            for invitation in try invitations().invitations where invitation.expires > now {
                print(JSONObject(invitation).line)
            }
        } catch {
            failure = error
        }
        for report in reports.read().sorted(by: { $0.device < $1.device }) { print(JSONObject(report).line) }
        if let failure { throw failure }
    }
}
