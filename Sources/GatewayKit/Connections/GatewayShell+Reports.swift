import TransferCore

// What devices report of themselves (specification §5.5). The server writes it into the home, off the loop.

extension GatewayShell {
    /// What an earlier process of this gateway had kept.
    func restoreReports(_ reports: [DeviceReport]) { machine.handle(.reportsRestored(reports), now: now) }

    /// The newest report of each device, where one has come since the last call; else `nil`.
    func takeChangedReports() -> [DeviceReport]? { machine.takeChangedReports() }
}
