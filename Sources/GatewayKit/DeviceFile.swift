import FoundationEssentials
import Logging
import Synchronization
import TransferCore

/// The device list as a gateway that serves sees it: read again whenever the file has become another one.
final class DeviceFile: Sendable {
    /// What tells one state of the file from another: it is replaced as a whole, or edited in place.
    private struct Stamp: Equatable {
        var file: Int
        var size: Int
        var modified: Date
    }

    private let home: GatewayHome
    private let logger: Logger
    private let known = Mutex<Stamp?>(nil)

    init(home: GatewayHome, logger: Logger) {
        self.home = home
        self.logger = logger
    }

    /// The list at start; a gateway does not serve with one that it cannot read.
    func initial() throws(GatewayHomeError) -> [AuthorisedDevice] {
        // Looked at before it is read: a change in between is then seen as one.
        let stamp = stamp()
        let devices = try home.devices().devices
        known.withLock { $0 = stamp }
        return devices
    }

    /// The list, if the file is not the one that was read last. A list that cannot be understood is reported once, and
    /// the one before it goes on: a slip of the pen must not cut off a fleet.
    func changed() -> [AuthorisedDevice]? {
        let newest = stamp()
        let isNew = known.withLock { known in
            defer { known = newest }
            return known != newest
        }
        guard isNew else { return nil }
        do {
            let devices = try home.devices().devices
            logger.info("Read the device list again", metadata: ["devices": "\(devices.count)"])
            return devices
        } catch {
            logger.error("The device list cannot be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func stamp() -> Stamp? {
        // A file that cannot be looked at now is looked at again a moment later.
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: home.devicesPath),
            let file = attributes[.systemFileNumber] as? Int, let size = attributes[.size] as? Int,
            let modified = attributes[.modificationDate] as? Date
        else { return nil }
        return Stamp(file: file, size: size, modified: modified)
    }
}
