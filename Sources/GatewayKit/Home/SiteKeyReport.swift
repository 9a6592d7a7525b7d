package import Cryptography
package import FoundationEssentials
import SecureChannel
import TransferCore

/// What an operator sees of the site's keys, and of which devices know them.
package struct SiteKeyReport: Sendable {
    /// What is known of one device.
    package struct Device: Equatable, Sendable {
        /// Whether the device will find the gateway again once a key is all that is shown.
        package enum Knowledge: Equatable, Sendable {
            /// Its newest HELLO named the key.
            case knows
            case doesNotKnow
            /// It pins no key, because it knows the gateway by an authority.
            case pinsNothing
            case neverHeard
        }

        package let name: String
        package let knowledge: Knowledge
        /// By the gateway's clock.
        package let heard: Date?

        /// Whether a change of the key does not concern it any more.
        package var isFine: Bool { knowledge == .knows || knowledge == .pinsNothing }
    }

    package let present: Fingerprint
    /// Still shown behind it, the newest first.
    package let old: [Fingerprint]
    package let next: Fingerprint?
    package let problem: String?
    package let devices: [Device]

    /// A line each: keys, then devices, then how many of them know the key that matters.
    package var lines: [String] {
        var lines = ["present    \(present)"]
        lines += old.map { "old        \($0)  still shown; identity retire ends that" }
        if let next { lines.append("announced  \(next)") }
        if let problem { lines.append("problem    \(problem)") }
        let key = next == nil ? "the present key" : "the announced key"
        lines += devices.map { device in
            let words =
                switch device.knowledge {
                case .knows: "knows \(key)"
                case .doesNotKnow: "does not know \(key)"
                case .pinsNothing: "pins no key"
                case .neverHeard: "was not heard by this gateway"
                }
            let heard = device.heard.map { ", heard \($0.formatted(.iso8601))" } ?? ""
            return "device     \(device.name)  \(words)\(heard)"
        }
        let ignorant = devices.count { !$0.isFine }
        if !devices.isEmpty {
            lines.append(
                ignorant == 0
                    ? "All devices know \(key), or pin none."
                    : "\(ignorant) of \(devices.count) devices did not name \(key) when last heard here.")
        }
        return lines
    }
}

extension GatewayHome {
    /// The site's keys as they are now, and which devices know the one that will be shown alone next.
    package func siteKeyReport() throws -> SiteKeyReport {
        let keys = try siteKeys()
        let old = keys.identity.isVouchedFor ? [] : try keys.identity.chain().dropFirst().map(\.self)
        return SiteKeyReport(
            present: keys.identity.fingerprint, old: old, next: keys.next,
            problem: keys.problem?.description, devices: try knowledge(of: keys.next ?? keys.identity.fingerprint))
    }

    /// What each known device has said of a key: those on the list, and those that an authority vouches for and that
    /// have been heard.
    func knowledge(of key: Fingerprint) throws -> [SiteKeyReport.Device] {
        let list = try devices()
        let heard = try devicePins()
        let listed = Set(list.devices.map(\.name))
        var known = list.devices.map { (name: $0.name, entry: heard[$0.name], identity: $0.fingerprint) }
        for (name, entry) in heard.sorted(by: { $0.key < $1.key }) {
            guard !listed.contains(name), !list.hasRevoked(name),
                let identity = CertifiedDevices.identity(ofName: name)
            else { continue }
            known.append((name, entry, identity))
        }
        return known.compactMap { name, entry, identity in
            guard let entry, entry.identity == Fingerprint(identity).description else {
                // Of a device that is on no list any more, or was given another key, nothing was heard.
                return listed.contains(name) ? .init(name: name, knowledge: .neverHeard, heard: nil) : nil
            }
            let knowledge: SiteKeyReport.Device.Knowledge =
                entry.pins.isEmpty ? .pinsNothing : entry.pins.contains(key.description) ? .knows : .doesNotKnow
            return .init(name: name, knowledge: knowledge, heard: entry.heard)
        }
    }
}
