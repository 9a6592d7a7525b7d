import Cryptography
package import FoundationEssentials
package import Logging
import NIOPosix
import SecureChannel
import Synchronization
import SystemSupport
package import TransferCommon
import WireProtocol

/// Which keys of the site each device has pinned, by the newest HELLO of it that this gateway has heard.
///
/// A file of the home keeps it, so that an operator sees before the site's key changes which devices know the next one.
/// It is written off the event loop: soon where pins have changed, and every minute where only times have. What was not
/// written when a gateway was killed is said again by the next HELLO.
package final class DevicePins: Sendable {
    /// What one device has said.
    package struct Entry: Codable, Equatable, Sendable {
        /// What identifies the device, in the form of a fingerprint: where the name is given to another key, this entry
        /// does not count.
        package var identity: String
        /// Fingerprints.
        package var pins: [String]
        /// By the gateway's clock.
        package var heard: Date
    }

    private struct State {
        var devices: [String: Entry] = [:]
        var haveChanged = false
        var isOutdated = false
    }

    /// Far more than a site has; beyond that, the device that was heard the longest ago gives way.
    private static let devicesMax = 65_536
    static let fileBytesMax = 64 << 20
    private static let writeInterval = Duration.seconds(1)
    /// In intervals.
    private static let outdatedMax = 60

    private let path: String
    private let logger: Logger
    private let state = Mutex(State())

    /// Begins with what the file has; one that cannot be read is written anew.
    package init(home: GatewayHome, logger: Logger) {
        self.path = home.devicePinsPath
        self.logger = logger
        do {
            let devices = try home.devicePins()
            state.withLock { $0.devices = devices }
        } catch {
            logger.warning("What devices have pinned is asked anew", metadata: ["error": "\(error)"])
        }
    }

    /// A device has said HELLO, and has proved its key.
    package func heard(_ device: String, identity: SHA256Digest, pins: [SHA256Digest], at now: Date) {
        let entry = Entry(
            identity: Fingerprint(identity).description, pins: pins.map { Fingerprint($0).description }, heard: now)
        state.withLock { state in
            let old = state.devices[device]
            if old == nil, state.devices.count >= Self.devicesMax,
                let oldest = state.devices.min(by: { $0.value.heard < $1.value.heard })
            {
                state.devices[oldest.key] = nil
            }
            state.devices[device] = entry
            state.isOutdated = true
            if old?.pins != entry.pins || old?.identity != entry.identity { state.haveChanged = true }
        }
    }

    /// Writes what is new, now and then, until the task is cancelled.
    func run() async {
        var intervals = 0
        while !Task.isCancelled {
            // Cancelled while asleep: what is left is written by `write`.
            try? await Task.sleep(for: Self.writeInterval)
            intervals += 1
            let (haveChanged, isOutdated) = state.withLock { ($0.haveChanged, $0.isOutdated) }
            guard !Task.isCancelled, haveChanged || isOutdated && intervals >= Self.outdatedMax else { continue }
            intervals = 0
            await write()
        }
    }

    /// Writes what is new, if anything is.
    package func write() async {
        let devices: [String: Entry]? = state.withLock { state in
            guard state.isOutdated else { return nil }
            (state.haveChanged, state.isOutdated) = (false, false)
            return state.devices
        }
        guard let devices else { return }
        do {
            try await NIOThreadPool.singleton.runIfActive { [path] in
                try AtomicFile.write(try Self.encoded(devices), to: path, mode: .ownerOnly)
            }
        } catch {
            logger.warning("Could not write what devices have pinned", metadata: ["error": "\(error)"])
        }
    }

    private static func encoded(_ devices: [String: Entry]) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return Array(try encoder.encode(devices)) + [UInt8(ascii: "\n")]
    }
}

extension GatewayHome {
    package var devicePinsPath: String { path + "/device-pins.json" }

    /// What devices have said to the gateway of this home, by name; empty where there is no such file.
    package func devicePins() throws(GatewayHomeError) -> [String: DevicePins.Entry] {
        do {
            let bytes = try BoundedFile.read(devicePinsPath, bytesMax: DevicePins.fileBytesMax, access: .anyone)
            let decoder = JSONDecoder()
            decoder.dateDecodingStrategy = .iso8601
            return try decoder.decode([String: DevicePins.Entry].self, from: Data(bytes))
        } catch let error as FileError where error.isMissing {
            return [:]
        } catch {
            throw GatewayHomeError(
                "cannot read \(devicePinsPath); remove it, and let the devices connect again", cause: error)
        }
    }
}
