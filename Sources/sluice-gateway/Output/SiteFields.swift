import CommandSupport
import Cryptography
import GatewayKit

// The objects of the commands on a gateway's home.

/// A home that init has made.
enum HomeFields: String, JSONFields {
    case home, fingerprint

    static let event = "home"
    static let meaning = "The home that was made."

    var declaration: JSONField {
        switch self {
        case .home: .always(.string, "the directory")
        case .fingerprint: .always(.string, "the gateway's fingerprint, which agents pin")
        }
    }
}

/// The gateway accepts connections.
enum ListeningFields: String, JSONFields {
    case address

    static let event = "listening"
    static let meaning = "Agents can connect. This is the only line."

    var declaration: JSONField {
        switch self {
        case .address: .always(.string, "where the gateway listens, as `ADDRESS:PORT`")
        }
    }
}

/// A key that seals session tokens.
enum SealingKeyFields: String, JSONFields {
    case id, state

    static let event = "key"
    static let meaning = "A key that seals session tokens. The oldest comes first."

    var declaration: JSONField {
        switch self {
        case .id: .always(.string, "the key's name")
        case .state: .always(.string, "what the key is used for")
        }
    }
}

/// A rotation of the keys that seal session tokens.
enum RotationFields: String, JSONFields {
    case sealing, opening, file

    static let event = "rotated"
    static let meaning = "The site has a new key for session tokens."

    var declaration: JSONField {
        switch self {
        case .sealing: .always(.string, "the name of the key that seals from now on")
        case .opening: .always(.string, "the name of the new key, which only opens until the next rotation")
        case .file:
            .always(.string, "the file, which every gateway of the site needs before the next rotation")
        }
    }
}

/// A key of the site's identity.
enum SiteKeyFields: String, JSONFields {
    case fingerprint, state
    case keyFile = "key_file"
    case certificateFile = "certificate_file"

    static let event = "site_key"
    static let meaning = "A key that the gateways of the site prove to agents."

    static let present = "present"
    static let old = "old"
    static let announced = "announced"

    private static let made = "the command has announced the key"

    var declaration: JSONField {
        switch self {
        case .fingerprint: .always(.string, "the key's fingerprint")
        case .state:
            .always(
                .word([Self.present, Self.old, Self.announced]),
                "`old` if its certificate is still shown, until `identity retire`")
        case .keyFile: .only(Self.made, .string, "its file, which every gateway of the site needs")
        case .certificateFile:
            .only(Self.made, .string, "the file of its certificate, which every gateway of the site needs")
        }
    }
}

/// Whether a device knows the site's key.
enum KnowledgeFields: String, JSONFields {
    case device, knowledge, connected

    static let event = "knowledge"
    static let meaning = "Whether a device knows the announced key, or the present one if none is announced."

    var declaration: JSONField {
        switch self {
        case .device: .always(.string, "the device's name")
        case .knowledge:
            .always(
                .word(SiteKeyReport.Device.Knowledge.allCases.map(\.word)),
                "`pins_nothing` if the device trusts an authority; `never_connected` if it has not connected to this "
                    + "gateway")
        case .connected: .only("it has connected", .time, "when it last connected here, by the gateway's clock")
        }
    }
}

/// The sums of identity list.
enum KnowledgeSummaryFields: String, JSONFields {
    case devices
    case notReady = "not_ready"
    case problem

    static let event = "summary"
    static let meaning = "The sums. This is the last line."

    var declaration: JSONField {
        switch self {
        case .devices: .always(.integer, "devices")
        case .notReady: .always(.integer, "devices that would not accept the gateway with this key alone")
        case .problem: .only("the keys have one", .string, "what is wrong with the keys, for people")
        }
    }
}

extension JSONObject<RotationFields> {
    /// - Parameter path: the file of the ring.
    init(_ ring: KeyRing, path: String) {
        // A rotation leaves one key that seals, and adds a key that opens.
        self.init([
            .sealing: ring.entries.last { $0.state == .sealing }.map { .string("\($0.id)") },
            .opening: ring.entries.last { $0.state == .opening }.map { .string("\($0.id)") },
            .file: .string(path),
        ])
    }
}

extension JSONObject<SiteKeyFields> {
    /// - Parameter state: one of the words that the declaration names.
    init(_ key: Fingerprint, _ state: String) {
        self.init([.fingerprint: .string("\(key)"), .state: .string(state)])
    }

    /// A key that was just announced.
    init(announced key: Fingerprint, in files: SiteKeyFiles) {
        self.init(key, SiteKeyFields.announced)
        self[.keyFile] = .string(files.nextKeyPath)
        self[.certificateFile] = .string(files.nextCertificatePath)
    }
}

extension SiteKeyReport.Device.Knowledge {
    fileprivate var word: String {
        switch self {
        case .knows: "knows"
        case .doesNotKnow: "does_not_know"
        case .pinsNothing: "pins_nothing"
        case .neverHeard: "never_connected"
        }
    }
}

extension SiteKeyReport {
    /// The report as lines of JSON.
    var json: [String] {
        let keys =
            [(present, SiteKeyFields.present)] + old.map { ($0, SiteKeyFields.old) }
            + [next].compactMap(\.self).map { ($0, SiteKeyFields.announced) }
        let lines = keys.map { JSONObject<SiteKeyFields>($0, $1).line }
        let known = devices.map { device in
            JSONObject<KnowledgeFields>([
                .device: .string(device.name), .knowledge: .string(device.knowledge.word),
                .connected: device.heard.map { .time($0) },
            ]).line
        }
        let sums = JSONObject<KnowledgeSummaryFields>([
            .devices: .count(devices.count), .notReady: .count(devices.count { !$0.isFine }),
            .problem: problem.map { .string($0) },
        ])
        return lines + known + [sums.line]
    }
}
