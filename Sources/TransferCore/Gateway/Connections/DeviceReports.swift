import TransferCommon
package import WireProtocol

// Reports of devices (specification §5.5). They are meant for people; no decision depends on them.

/// The newest REPORT of a device.
package struct DeviceReport: Hashable, Sendable {
    /// The device's name.
    package var device: String
    /// When the REPORT arrived: milliseconds since 1970, by the gateway's clock.
    package var arrivedMilliseconds: Int64
    package var report: StatusReport

    package init(device: String, arrivedMilliseconds: Int64, report: StatusReport) {
        self.device = device
        self.arrivedMilliseconds = arrivedMilliseconds
        self.report = report
    }
}

/// The newest REPORT of each device, whether or not the device has a connection now.
struct DeviceReports: Hashable {
    private var reports: [String: DeviceReport] = [:]
    /// When the newest report of each device was kept, by the monotonic clock.
    private var keptAt: [String: Instant] = [:]
    private var haveChanged = false

    /// Keeps a report, unless the last one of its device is too recent.
    mutating func keep(_ report: DeviceReport, now: Instant, _ limits: GatewayLimits) {
        if let last = keptAt[report.device], now < last + limits.reportInterval { return }
        if reports[report.device] == nil, reports.count >= limits.reportsMax { removeOldest() }
        reports[report.device] = report
        keptAt[report.device] = now
        haveChanged = true
    }

    /// Keeps reports that an earlier process of the gateway has saved.
    mutating func restore(_ kept: [DeviceReport], _ limits: GatewayLimits) {
        for report in kept.sorted(by: Self.isNewer).prefix(limits.reportsMax) where reports[report.device] == nil {
            reports[report.device] = report
        }
    }

    /// - Returns: all reports, the newest first; `nil` if no report has changed since the last call.
    mutating func takeChanged() -> [DeviceReport]? {
        guard haveChanged else { return nil }
        haveChanged = false
        return reports.values.sorted(by: Self.isNewer)
    }

    private mutating func removeOldest() {
        guard let oldest = reports.values.max(by: Self.isNewer) else { return }
        reports[oldest.device] = nil
        keptAt[oldest.device] = nil
    }

    private static func isNewer(_ left: DeviceReport, _ right: DeviceReport) -> Bool {
        (left.arrivedMilliseconds, left.device) > (right.arrivedMilliseconds, right.device)
    }
}
