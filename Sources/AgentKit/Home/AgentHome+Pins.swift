package import Cryptography
import FoundationEssentials
import SecureChannel
import SystemSupport
package import TransferCommon
import TransferCore
import WireProtocol

// The gateway keys that the agent has pinned: the key in the configuration, and keys that gateways announced later
// (specification §5.1).

extension AgentHome {
    /// The pinned keys, and the problem if their file could not be read.
    package struct Pins {
        /// At most `WireLimits.pinsMax` keys, oldest first. Empty if a certificate authority identifies the gateway.
        package var keys: [Fingerprint]
        /// Message for the user; `nil` if there is no problem.
        package var problem: String?
    }

    /// Content of the pin file. The file is valid only while the configuration still has the pin `configured`. A user
    /// who puts another pin into the configuration no longer trusts the keys that the agent learned under the earlier
    /// pin.
    private struct PinFile: Codable {
        var configured: String
        var pins: [String]
    }

    private static let pinFileBytesMax = 64 << 10

    package var pinsPath: String { path + "/pins.json" }

    /// The pinned keys. If the file is unreadable, the result has only the configured key: to trust fewer keys is safe.
    package func pins() throws(AgentHomeError) -> Pins {
        guard let configured = try configuredPin() else { return Pins(keys: []) }
        do {
            let bytes = try BoundedFile.read(pinsPath, bytesMax: Self.pinFileBytesMax, access: .ownerWrites)
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
            return Pins(keys: [configured], problem: "cannot read \(pinsPath): \(error.readable)")
        }
    }

    /// Writes the pinned keys durably. Blocks.
    package func keep(_ pins: [Fingerprint]) throws(AgentHomeError) {
        guard let configured = try configuredPin() else { return }
        let file = PinFile(configured: configured.description, pins: pins.map(\.description))
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let bytes = Array(try encoder.encode(file)) + [UInt8(ascii: "\n")]
            try AtomicFile.write(bytes, to: pinsPath, mode: .ownerOnly)
        } catch {
            throw AgentHomeError(writing: pinsPath, error)
        }
    }

    /// Pins the keys that one connection has shown: the key that the gateway proved, and the next key that it
    /// announced.
    ///
    /// - Returns: the error if the keys cannot be stored. The caller may ignore it, because the next connection shows
    ///   the same keys.
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
