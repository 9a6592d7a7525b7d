package import Cryptography
import FoundationEssentials
import SecureChannel
import SystemSupport
package import TransferCommon
import TransferCore
import WireProtocol

// The gateway's keys that the agent has pinned: the one that its configuration names, and those that it has added since
// (specification §5.1).

extension AgentHome {
    /// What is pinned, and what stood in the way of reading it.
    package struct Pins {
        /// At most `WireLimits.pinsMax`; the one added first stands first. Empty where an authority knows the gateway.
        package var keys: [Fingerprint]
        /// For people; `nil` where nothing is wrong.
        package var problem: String?
    }

    /// The file's content. It counts only beside the configuration that it grew from: a user who writes another pin
    /// into that trusts no key of before.
    private struct PinFile: Codable {
        var configured: String
        var pins: [String]
    }

    private static let pinFileBytesMax = 64 << 10

    package var pinsPath: String { path + "/pins.json" }

    /// The pinned keys. Where their file cannot be read, the configured one is all there is: fewer pins are safe.
    package func pins() throws(AgentHomeError) -> Pins {
        guard let configured = try configuredPin() else { return Pins(keys: []) }
        do {
            let bytes = try BoundedFile.read(pinsPath, bytesMax: Self.pinFileBytesMax, access: .anyone)
            let file = try JSONDecoder().decode(PinFile.self, from: Data(bytes))
            guard file.configured == configured.description else { return Pins(keys: [configured]) }
            let keys = file.pins.compactMap { Fingerprint($0) }
            guard !keys.isEmpty, keys.count == file.pins.count, keys.count <= WireLimits.pinsMax else {
                return Pins(keys: [configured], problem: "\(pinsPath) is damaged, and is not used")
            }
            return Pins(keys: keys)
        } catch let error as FileError where error.isMissing {
            return Pins(keys: [configured])
        } catch {
            return Pins(keys: [configured], problem: "cannot read \(pinsPath): \(error)")
        }
    }

    /// Makes these the pinned keys, durably. Blocks.
    package func keep(_ pins: [Fingerprint]) throws(AgentHomeError) {
        guard let configured = try configuredPin() else { return }
        let file = PinFile(configured: configured.description, pins: pins.map(\.description))
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let bytes = Array(try encoder.encode(file)) + [UInt8(ascii: "\n")]
            try AtomicFile.write(bytes, to: pinsPath, mode: .ownerOnly)
        } catch {
            throw AgentHomeError(.unusable, "cannot write \(pinsPath): \(error)")
        }
    }

    /// Pins what a single question to a gateway has brought: the key that it proved, and the site's next one.
    ///
    /// - Returns: what stood in the way. Nothing is lost by it: the next connection brings the same.
    @discardableResult
    package func pin(proved: Fingerprint?, next: SHA256Digest?) -> AgentHomeError? {
        do throws(AgentHomeError) {
            var pins = SitePins(durable: try pins().keys.map(\.digest))
            for key in [proved?.digest, next].compactMap(\.self) {
                guard let list = pins.add(key, whileProved: proved?.digest) else { continue }
                try keep(list.map { Fingerprint($0) })
                _ = pins.written(true)
            }
            return nil
        } catch {
            return error
        }
    }
}
