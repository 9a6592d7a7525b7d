import Cryptography
package import FoundationEssentials
package import Logging
import NIOPosix
import SecureChannel
import Synchronization
import SystemSupport
package import TransferCommon
import WireProtocol

/// The site keys that each device has pinned, from the newest HELLO of that device to this gateway.
///
/// A file in the gateway's home stores them. An operator can therefore see, before the site changes its key, which
/// devices have pinned the next key. A background task writes the file: within about a second after pins change, and
/// once a minute if only times changed. If the gateway is killed before it writes an entry, the device's next HELLO
/// brings the entry back.
package final class DevicePins: Sendable {
    /// The pins of one device.
    package struct Entry: Codable, Equatable, Sendable {
        /// Identity of the device, written as a fingerprint. If the device list now gives the device's name to another
        /// key, the entry is ignored.
        package var identity: String
        /// Fingerprints of the pinned keys.
        package var pins: [String]
        /// Time of the HELLO by the gateway's clock.
        package var heard: Date
    }

    private struct State {
        var devices: [String: Entry] = [:]
        var haveChanged = false
        var isOutdated = false
    }

    /// Maximum number of devices; it bounds the memory use and is far above the size of real sites. When it is reached,
    /// a new device replaces the device whose newest HELLO is the oldest.
    private static let devicesMax = 65_536
    static let fileBytesMax = 64 << 20
    private static let writeInterval = Duration.seconds(1)
    /// If only times have changed, the file is written after this many `writeInterval`s.
    private static let outdatedMax = 60

    private let path: String
    private let failures: FailureLog
    private let state = Mutex(State())

    /// Loads the pins from the home. Starts without pins if their file cannot be read.
    package init(home: GatewayHome, logger: Logger) {
        self.path = home.devicePinsPath
        self.failures = FailureLog(
            "Could not write the pins of devices; identity list may not know what devices have pinned",
            recovery: "The pins of devices are written again", logger: logger)
        do {
            let devices = try home.devicePins()
            state.withLock { $0.devices = devices }
        } catch {
            logger.log(
                "Cannot read the pins of devices; devices name them again when they connect", error, at: .warning)
        }
    }

    /// Records the HELLO of an authenticated device.
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

    /// Writes pending changes periodically until the task is cancelled.
    func run() async {
        var intervals = 0
        while !Task.isCancelled {
            // Cancellation ends the sleep early; a final call of `write` then saves pending changes.
            try? await Task.sleep(for: Self.writeInterval)
            intervals += 1
            let (haveChanged, isOutdated) = state.withLock { ($0.haveChanged, $0.isOutdated) }
            guard !Task.isCancelled, haveChanged || isOutdated && intervals >= Self.outdatedMax else { continue }
            intervals = 0
            await write()
        }
    }

    /// Writes the file if any entry has changed since the last write.
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
            failures.succeeded()
        } catch {
            // The next attempt follows within a minute.
            state.withLock { $0.isOutdated = true }
            failures.failed(error)
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

    /// The recorded pins by device name; empty if the file does not exist.
    package func devicePins() throws(GatewayHomeError) -> [String: DevicePins.Entry] {
        do {
            let bytes = try BoundedFile.read(devicePinsPath, bytesMax: DevicePins.fileBytesMax, access: .ownerWrites)
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
