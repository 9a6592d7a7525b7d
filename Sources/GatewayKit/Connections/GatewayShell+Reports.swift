import SystemSupport
import TransferCore

// Status reports of devices (specification §5.5). `GatewayServer` writes them into the home, on another thread.

extension GatewayShell {
    /// Restores the reports that an earlier process of this gateway saved.
    func restoreReports(_ reports: [DeviceReport]) { machine.handle(.reportsRestored(reports), now: now) }

    /// The newest report of each device; `nil` if no report has arrived since the last call.
    func takeChangedReports() -> [DeviceReport]? { machine.takeChangedReports() }
}
