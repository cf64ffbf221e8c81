export * from 'kafka-native/kafkajs';
