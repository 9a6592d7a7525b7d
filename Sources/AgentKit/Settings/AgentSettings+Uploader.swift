package import Settings
import TransferCore

extension AgentSettings {
    /// What every run of the uploader takes from the settings.
    ///
    /// - Parameter software: name and version of the program.
    package func uploaderConfiguration(to gateway: Endpoint, software: String) -> Uploader.Configuration {
        var configuration = Uploader.Configuration(host: gateway.host, port: gateway.port, software: software)
        configuration.limits.concurrency = concurrency
        configuration.limits.connections = connections
        configuration.interfaces = interfaces
        configuration.limits.bytesPerSecond = limitRate?.bytesPerSecond
        configuration.limits.retryFor = retryFor.duration
        configuration.compression = compress
        configuration.isPlaintext = plaintext
        return configuration
    }
}
